package attest

import (
	"context"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// State is a node's state after a window.
type State struct {
	Window protocol.Window // the last that was applied
	Step   uint64          // the number of windows applied
	Issue  wire.Issue      // of the window's Aggregate; the signature is needed to post a sample
	Hash   protocol.Hash   // of Params
	Params []float32       // the caller must not change them; nil when they are not at hand
	// Values are what validators' samples have of Params, where Params is nil; those that are missing
	// are not compared.
	Values map[protocol.Hotkey][]float32
}

// Mark names a state that is final.
type Mark struct {
	Next protocol.Window `json:"next_window"` // the first window after it
	Hash protocol.Hash   `json:"state_hash"`
}

// Samples reads and makes sync samples: signed statements of a node's state after a window.
type Samples struct {
	Run      run.Run
	Schedule schedule.Schedule
}

// Post uploads the owner's sync sample of s.
func (s Samples) Post(ctx context.Context, own *mailbox.Outbox, at State) error {
	end, err := s.Schedule.EndOf(ctx, at.Window)
	if err != nil {
		return err
	}
	me := own.Signer.Hotkey()
	b, err := wire.EncodeSample(&wire.Sample{
		Run: s.Run.Hash, Window: at.Window, UID: own.UID, Hotkey: me, GlobalStep: at.Step, Issue: at.Issue,
		State: at.Hash, Values: s.Of(at.Params, end, me),
	}, own.Signer)
	if err != nil {
		return err
	}
	ctx, cancel := s.Schedule.WithTimeout(ctx)
	defer cancel()
	return own.Put(ctx, protocol.SampleKey(at.Window, own.UID), b)
}

// Fetch reads and checks a peer's sync sample of w.
func (s Samples) Fetch(ctx context.Context, p directory.Peer, w protocol.Window) (*wire.Sample, protocol.Verdict) {
	if p.Bucket == nil {
		return nil, protocol.VerdictNoBucket
	}
	ctx, cancel := s.Schedule.WithPatience(ctx)
	defer cancel()
	n := s.Size()
	b, _, err := store.ReadAll(ctx, p.Bucket, protocol.SampleKey(w, p.UID), wire.MaxSampleSize(n))
	if err != nil {
		return nil, store.VerdictOf(err)
	}
	return wire.DecodeSample(b, wire.Expect{Run: s.Run.Hash, Window: w, UID: p.UID, Hotkey: p.Hotkey}, n)
}

// Size is the number of parameters in a sync sample.
func (s Samples) Size() int {
	return min(s.Run.Params.SampleValues, s.Run.Space.Size())
}

// Of picks a node's sampled values out of params; end is the block that ended the window.
func (s Samples) Of(params []float32, end chain.Block, hotkey protocol.Hotkey) []float32 {
	positions := wire.SamplePositions(end.Hash, hotkey, s.Size(), len(params))
	values := make([]float32, len(positions))
	for i, at := range positions {
		values[i] = params[at]
	}
	return values
}
