package exchange

import (
	"bytes"
	"context"
	"errors"

	"templar/internal/store"
	"templar/protocol"
)

// deletesAtOnce bounds the deletions that run at once, so that a sweep of hundreds of
// objects does not cost a window, nor burden the store.
const deletesAtOnce = 8

// Retention is the number of windows for which objects are kept: long enough to catch
// up from the last checkpoints, and to verify what was done.
func (x *Exchange) Retention() protocol.Window {
	return protocol.Window(4 * x.Params.CheckpointFrequency)
}

// PruneOwn deletes what this node stored in its own bucket under its own uid and is past
// its retention: gradients, samples, reports, and peer lists that were no longer in force
// then. next is the first window that is not applied. It sweeps now and then and is free
// otherwise.
func (x *Exchange) PruneOwn(ctx context.Context, next protocol.Window) error {
	if !x.due("own", next) {
		return nil
	}
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	keep := next - x.Retention()
	var errs []error
	for _, kind := range []protocol.Kind{protocol.KindGradient, protocol.KindSample, protocol.KindReport} {
		errs = append(errs, x.sweep(ctx, x.Own, kind, func(k protocol.Key) bool { return k.UID == x.UID && k.Window < keep }))
	}
	var inForce protocol.Window // at keep
	err := Each(ctx, x.Own, protocol.PeersPrefix, func(_ string, from protocol.Window) {
		if from <= keep {
			inForce = max(inForce, from)
		}
	})
	if err == nil {
		err = x.sweep(ctx, x.Own, protocol.KindPeers, func(k protocol.Key) bool { return k.Window < inForce })
	}
	return errors.Join(append(errs, err)...)
}

// PruneAggregates deletes the Aggregates, and the gradients archived with them, that are
// past their retention, now and then.
func (x *Exchange) PruneAggregates(ctx context.Context, next protocol.Window) error {
	if !x.due("aggregator", next) {
		return nil
	}
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	old := func(k protocol.Key) bool { return k.Window < next-x.Retention() }
	return errors.Join(x.sweep(ctx, x.Aggregator, protocol.KindAggregate, old), x.sweep(ctx, x.Aggregator, protocol.KindArchive, old))
}

// StoreGather keeps the payloads of a gather of w in a bucket of the node's own, and
// deletes those of gathers more than windows ago; 0 means Retention.
func (x *Exchange) StoreGather(ctx context.Context, local store.Bucket, w, windows protocol.Window, payloads []Payload) error {
	if windows == 0 {
		windows = x.Retention()
	}
	err := Keep(ctx, local, w, payloads)
	return errors.Join(err, x.sweep(ctx, local, protocol.KindArchive, func(k protocol.Key) bool { return k.Window < w && w-k.Window >= windows }))
}

// due reports whether anything in a bucket can be past its retention and the last sweep
// was checkpoint_frequency windows ago. The first call sweeps what an earlier run left.
func (x *Exchange) due(bucket string, next protocol.Window) bool {
	if next <= x.Retention() {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	last, swept := x.mu.swept[bucket]
	if swept && next < last+protocol.Window(x.Params.CheckpointFrequency) {
		return false
	}
	if x.mu.swept == nil {
		x.mu.swept = make(map[string]protocol.Window)
	}
	x.mu.swept[bucket] = next
	return true
}

// sweep deletes the objects of one kind that are stale. Keys of another version or of a
// stranger's making are left alone.
func (x *Exchange) sweep(ctx context.Context, b store.Bucket, kind protocol.Kind, stale func(protocol.Key) bool) error {
	var keys []string
	err := eachKey(ctx, b, kind.Prefix(), func(key string, k protocol.Key) {
		if k.Kind == kind && stale(k) {
			keys = append(keys, key)
		}
	})
	errs := make([]error, len(keys))
	x.Clock.Each(len(keys), deletesAtOnce, func(i int) { errs[i] = b.Delete(ctx, keys[i]) })
	return errors.Join(append(errs, err)...)
}

// Keep stores gathered payloads in a bucket of the node's own.
func Keep(ctx context.Context, b store.Bucket, w protocol.Window, payloads []Payload) error {
	var errs []error
	for _, p := range payloads {
		if p.Verdict.OK() {
			_, err := b.Put(ctx, protocol.ArchiveKey(w, p.Peer.UID), bytes.NewReader(p.Raw), int64(len(p.Raw)), store.PutOptions{})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
