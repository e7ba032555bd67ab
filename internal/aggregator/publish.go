package aggregator

import (
	"context"
	"fmt"
	"time"

	"templar/internal/clock"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// publish creates the Aggregate, then archives the payloads. The Aggregate is on our own disk
// first, so that no other one of this window is ever signed.
func (a *Aggregator) publish(ctx context.Context, closed *mailbox.Closed, payloads []mailbox.Payload, took time.Duration) error {
	a.phase("publishing")
	agg := a.aggregate(closed, payloads, took)
	b, err := wire.EncodeAggregate(&agg.Aggregate, a.Format(), a.Signer)
	if err != nil {
		return err
	}
	a.copy(ctx, protocol.AggregateKey(agg.Window, agg.Term), b)
	a.listParts(ctx, &agg.Aggregate, b)
	if err := a.create(ctx, b); err != nil {
		return err
	}
	a.phase("archiving")
	a.archive(ctx, agg.Window, payloads)
	a.tidy(ctx)
	return nil
}

// listParts publishes which miner relays which part of an Aggregate, before the Aggregate: nodes look for the list once. Without
// it, and when another Aggregate comes to count, they read the Aggregate as a whole.
func (a *Aggregator) listParts(ctx context.Context, agg *wire.Aggregate, b []byte) {
	list := mailbox.ListParts(a.Params, agg.Window, agg.Included, b)
	if list == nil {
		return
	}
	ctx, cancel := clock.WithTimeout(ctx, a.Clock, a.Params.Publication()/3)
	defer cancel()
	if err := store.PutBytes(ctx, a.Shelf.Bucket, protocol.PartsKey(agg.Window, agg.Term), wire.EncodeParts(list), store.PutOptions{}); err != nil {
		a.Log.Warn("parts of the aggregate not listed: nodes read it as a whole", "window", agg.Window, "err", err)
	}
}

// create publishes an Aggregate of the next window. If one exists already, that one counts: a
// standby's, or our own from before a restart. After a failure the window is tried again with the copy: what has
// arrived of it is not sent again, and the Aggregate that is found counts.
func (a *Aggregator) create(ctx context.Context, b []byte) error {
	began := a.Clock.Now()
	created, err := a.Shelf.Create(ctx, protocol.AggregateKey(a.next, a.termOf(a.next)), b)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	var counts *run.Aggregate
	var size int64
	if created {
		counts, size, err = a.link(a.next, b, protocol.VerdictOK)
	} else {
		counts, size, err = a.follow(ctx, a.next)
	}
	if err != nil {
		return err
	}
	a.published(counts, size, a.Clock.Now().Sub(began))
	return nil
}

// tidy deletes what is past its retention.
func (a *Aggregator) tidy(ctx context.Context) {
	a.forget(ctx)
	if err := a.Shelf.Prune(ctx, a.next); err != nil {
		a.Log.Warn("old objects not deleted", "err", err)
	}
}

// aggregate combines the usable payloads into the Aggregate of the next window. Beside the
// encoded payloads it holds one chunk per worker and the update in memory.
func (a *Aggregator) aggregate(closed *mailbox.Closed, payloads []mailbox.Payload, took time.Duration) *run.Aggregate {
	ok, skipped := mailbox.Usable(payloads)
	agg := &run.Aggregate{Aggregate: wire.Aggregate{
		Run: a.Hash, Window: a.next, Term: a.termOf(a.next), Start: a.start, Origin: a.origin, UploadFrom: closed.UploadFrom, Delta: a.Params.Delta(),
		LearningRate: a.Method.Rate(a.Params.Step(a.start, a.next)),
		Previous:     a.previous, Closing: closed.Hash, Skipped: skipped, GatherTime: took, Aggregator: a.Signer.Hotkey(),
	}}
	for _, p := range ok {
		agg.Included = append(agg.Included, wire.Included{UID: p.Peer.UID, Hotkey: p.Peer.Hotkey, Content: p.Content})
	}
	began := a.Clock.Now()
	agg.Set(mailbox.Fold(a.Method, ok))
	agg.AggregateTime = a.Clock.Now().Sub(began)
	return agg
}

// published reports the Aggregate that counts for the window last followed.
func (a *Aggregator) published(agg *run.Aggregate, size int64, took time.Duration) {
	sum := mailbox.Applied(agg, a.previous, protocol.Hash{}, 0, size)
	a.Events.Emit(agg.Window, telemetry.Published{
		Hash: a.previous, Step: a.Params.Step(a.start, agg.Window), Bytes: size, Included: sum.Included, Skipped: sum.Skipped, Ours: agg.Aggregator == a.Signer.Hotkey(),
		Gather: agg.GatherTime, Aggregate: agg.AggregateTime, Publish: took,
	})
}
