package exchange

import (
	"context"
	"time"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// State is what a node holds after a window.
type State struct {
	Window    protocol.Window // the last that was applied
	Step      uint64          // the number of windows applied
	Aggregate protocol.Hash   // content hash of the window's
	Hash      protocol.Hash   // of Params
	Params    []float32       // the caller must not change them
}

// PutSample uploads this node's sync sample of s.
func (x *Exchange) PutSample(ctx context.Context, s State) error {
	end, err := x.EndOf(ctx, s.Window)
	if err != nil {
		return err
	}
	me := x.Signer.Hotkey()
	b, err := wire.EncodeSample(&wire.Sample{
		Run: x.Hash, Window: s.Window, UID: x.UID, Hotkey: me, GlobalStep: s.Step, Aggregate: s.Aggregate,
		State: s.Hash, Values: x.SampleOf(s.Params, end, me),
	}, x.Signer)
	if err != nil {
		return err
	}
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	return x.Put(ctx, protocol.SampleKey(s.Window, x.UID), b)
}

// Sample fetches and checks a peer's sync sample of w.
func (x *Exchange) Sample(ctx context.Context, p directory.Peer, w protocol.Window) (*wire.Sample, protocol.Verdict) {
	if p.Bucket == nil {
		return nil, protocol.VerdictNoBucket
	}
	ctx, cancel := x.withPatience(ctx)
	defer cancel()
	n := x.SampleSize()
	b, _, err := store.ReadAll(ctx, p.Bucket, protocol.SampleKey(w, p.UID), wire.MaxSampleSize(n))
	if err != nil {
		return nil, store.VerdictOf(err)
	}
	return wire.DecodeSample(b, wire.Expect{Run: x.Hash, Window: w, UID: p.UID, Hotkey: p.Hotkey}, n)
}

// SamplesDue returns from when on the samples of w can be expected of everybody: a
// window's time after the Aggregate was published, which may have been late.
func (x *Exchange) SamplesDue(ctx context.Context, w protocol.Window) (time.Time, error) {
	info, err := x.Aggregator.Head(ctx, protocol.AggregateKey(w))
	return info.LastModified.Add(x.Params.WindowTime()), err
}

// SampleSize is the number of parameters in a sync sample.
func (x *Exchange) SampleSize() int {
	return min(x.Params.SampleValues, x.Codec.Layout().Size())
}

// SampleOf picks a node's sampled values out of params; end is the block that ended the window.
func (x *Exchange) SampleOf(params []float32, end chain.Block, hotkey protocol.Hotkey) []float32 {
	positions := wire.SamplePositions(end.Hash, hotkey, x.SampleSize(), len(params))
	values := make([]float32, len(positions))
	for i, at := range positions {
		values[i] = params[at]
	}
	return values
}
