package exchange

import (
	"context"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// maxPeers bounds how many gradients an Aggregate can name: no subnet has more slots. An
// operator may gather from all of them (--test), beyond max_topk_peers.
const maxPeers = 4096

// Archived returns the gradient that the Aggregate of w names, from the aggregator's
// archive. Every verdict but VerdictUnreachable says that the aggregator cannot show it.
func (x *Exchange) Archived(ctx context.Context, w protocol.Window, in wire.Included) (*wire.Gradient, protocol.Verdict) {
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	raw, _, err := store.ReadAll(ctx, x.Aggregator, protocol.ArchiveKey(w, in.UID), x.maxGradient())
	if err != nil {
		return nil, store.VerdictOf(err)
	}
	if wire.ContentHash(raw) != in.Content {
		return nil, protocol.VerdictWrongContext
	}
	return wire.DecodeGradient(raw, x.Codec, wire.Expect{Run: x.Hash, Window: w, UID: in.UID, Hotkey: in.Hotkey})
}

func (x *Exchange) maxGradient() int64 {
	return wire.MaxGradientSize(x.Codec, x.Params.PagesPerWindow)
}

// FetchAggregate asks for the Aggregate of w until it is there or the deadline has
// passed; then the verdict is VerdictMissing or VerdictUnreachable.
func (x *Exchange) FetchAggregate(ctx context.Context, w protocol.Window, deadline time.Time) (*wire.Aggregate, protocol.Hash, int64, protocol.Verdict) {
	b, verdict := x.AggregateBytes(ctx, w, deadline)
	if !verdict.OK() {
		return nil, protocol.Hash{}, 0, verdict
	}
	a, hash, verdict := wire.DecodeAggregate(b, x.Codec, x.Hash, w, x.Params.Aggregators)
	return a, hash, int64(len(b)), verdict
}

// AggregateBytes is FetchAggregate for who wants what stands there as it is.
func (x *Exchange) AggregateBytes(ctx context.Context, w protocol.Window, deadline time.Time) ([]byte, protocol.Verdict) {
	ctx, cancel := x.Clock.WithDeadline(ctx, deadline)
	defer cancel()
	limit := wire.MaxAggregateSize(x.Codec, maxPeers)
	for {
		b, _, err := store.ReadAll(ctx, x.Aggregator, protocol.AggregateKey(w), limit)
		if err == nil {
			return b, protocol.VerdictOK
		}
		verdict := store.VerdictOf(err)
		if verdict.Final() || x.Clock.Sleep(ctx, x.Poll()) != nil {
			return nil, verdict
		}
	}
}

// AggregateDeadline is until when to wait for the Aggregate of the window that ended with
// block end: until it is due and no longer, so that an aggregator that is away costs
// nobody the next window too.
func (x *Exchange) AggregateDeadline(end chain.Block) time.Time {
	return x.Params.AggregateDue(end.Time)
}

// withPatience bounds a look at other nodes' buckets beside the gather, so that a store
// that hangs costs a validator no window.
func (x *Exchange) withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	return clock.WithTimeout(ctx, x.Clock, x.Params.Gather())
}

// WithTimeout bounds an exchange that has no deadline of its own in the protocol.
func (x *Exchange) WithTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return clock.WithTimeout(ctx, x.Clock, x.Params.WindowTime())
}
