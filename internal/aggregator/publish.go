package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"templar/internal/exchange"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// publish archives the payloads, then creates the Aggregate. When another one stands
// there already, that one counts: a standby's, or our own of before a restart. So it is,
// too, when nobody can tell whether the store took ours: the window is tried again, and
// what is found there is taken over.
func (a *Aggregator) publish(ctx context.Context, t time.Time, payloads []exchange.Payload, took time.Duration) error {
	x := a.Exchange
	a.phase("publishing")
	agg, err := a.aggregate(ctx, t, payloads, took)
	if err != nil {
		return err
	}
	b, err := wire.EncodeAggregate(agg, x.Codec, x.Signer)
	if err != nil {
		return err
	}
	began := x.Clock.Now()
	_, err = x.Aggregator.Put(ctx, protocol.AggregateKey(agg.Window), bytes.NewReader(b), int64(len(b)), store.PutOptions{IfAbsent: true})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("publish: %w", err)
	}
	counts, size, err := a.follow(ctx, agg.Window)
	if err != nil {
		return err
	}
	a.published(counts, size, x.Clock.Now().Sub(began))
	return x.PruneAggregates(ctx, a.next)
}

// aggregate folds the usable payloads into the Aggregate of the next window. Beside the
// payloads as they came it holds one chunk a worker, and the update itself.
func (a *Aggregator) aggregate(ctx context.Context, t time.Time, payloads []exchange.Payload, took time.Duration) (*wire.Aggregate, error) {
	x := a.Exchange
	ok, skipped := exchange.Usable(payloads)
	agg := &wire.Aggregate{
		Run: x.Hash, Window: a.next, Start: a.start, UploadFrom: t, Delta: x.Params.Delta(),
		LearningRate: float32(x.Params.LearningRateAt(x.Params.Step(a.start, a.next))),
		Previous:     a.previous, Skipped: skipped, GatherTime: took, Aggregator: x.Signer.Hotkey(),
	}
	if err := a.archive(ctx, ok); err != nil {
		return nil, err
	}
	for _, p := range ok {
		agg.Included = append(agg.Included, wire.Included{UID: p.Peer.UID, Hotkey: p.Peer.Hotkey, Content: p.Content})
	}
	began := x.Clock.Now()
	agg.Update = x.Fold(ok)
	agg.AggregateTime = x.Clock.Now().Sub(began)
	return agg, nil
}

// published tells what counts for the window that was last followed.
func (a *Aggregator) published(agg *wire.Aggregate, size int64, took time.Duration) {
	a.mu.Lock()
	a.mu.status = Status{Next: a.next, Included: len(agg.Included), Skipped: len(agg.Skipped)}
	a.mu.Unlock()
	sum := exchange.Applied(agg, a.previous, protocol.Hash{}, 0, size)
	a.Report.Emit(agg.Window, telemetry.Published{
		Hash: a.previous, Bytes: size, Included: sum.Included, Skipped: sum.Skipped, Ours: agg.Aggregator == a.Exchange.Signer.Hotkey(),
		Gather: agg.GatherTime, Aggregate: agg.AggregateTime, Publish: took,
	})
}
