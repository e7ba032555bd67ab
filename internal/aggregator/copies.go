package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
)

// A store may lose confirmed objects: it is restored from a backup, or fails over to a replica
// that lagged. Nodes have applied the lost Aggregates, and an Aggregate recomputed from what can
// be gathered later would differ. Therefore the last few, with the gradients that they name, are
// kept on this node's disk and restored unchanged.

// kept is for how many windows copies are kept: as long as validators may need them after a loss of the store.
func (a *Aggregator) kept() protocol.Window {
	return min(protocol.Window(a.Params.LeastPayloadWindows()), schedule.Retention(a.Params))
}

// copied is an Aggregate on this node's disk.
type copied struct {
	*run.Aggregate
	hash protocol.Hash
	raw  []byte
}

// copy keeps an object. A full disk costs no window.
func (a *Aggregator) copy(ctx context.Context, key string, b []byte) {
	_, err := a.Local.Put(ctx, key, bytes.NewReader(b), int64(len(b)), store.PutOptions{})
	if err != nil && ctx.Err() == nil {
		a.Log.Warn("no copy kept: this object cannot be restored if the store loses it", "key", key, "err", err)
	}
}

// copyOf returns our copy of the Aggregate of w; nil when there is none.
func (a *Aggregator) copyOf(ctx context.Context, w protocol.Window) (*copied, error) {
	raw, _, err := store.ReadAll(ctx, a.Local, protocol.AggregateKey(w, a.termOf(w)), -1)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("copy of the aggregate of window %d: %w", w, err)
	}
	return a.decode(raw, w), nil
}

func (a *Aggregator) decode(raw []byte, w protocol.Window) *copied {
	agg, hash, verdict := a.Aggregate(raw, w, a.termOf(w))
	if !verdict.OK() {
		return nil
	}
	return &copied{agg, hash, raw}
}

// resume continues after the newest copy when the bucket has lost more windows than the copies
// cover: to continue where the bucket ends would contradict published Aggregates.
func (a *Aggregator) resume(ctx context.Context) error {
	newest, found, err := a.newestIn(ctx, a.Local)
	if err != nil || !found || newest < a.next {
		return err
	}
	if c, err := a.copyOf(ctx, a.next); err != nil || c != nil {
		return err // again continues from here
	}
	c, err := a.copyOf(ctx, newest)
	if err != nil || c == nil || c.Start != a.start {
		return err
	}
	a.next, a.previous, a.term = newest+1, c.hash, c.Term
	a.putBack(ctx)
	return nil
}

// again publishes the copy of the next window's Aggregate, if there is one that continues the
// chain: from before a restart or a loss of the store.
func (a *Aggregator) again(ctx context.Context) (done bool, err error) {
	c, err := a.copyOf(ctx, a.next)
	if err != nil || c == nil || c.Previous != a.previous {
		return false, err
	}
	if err := a.putClosing(ctx, a.next); err != nil {
		return false, fmt.Errorf("closing statement: %w", err)
	}
	return true, a.create(ctx, c.raw) // its gradients are owed to the archive
}

// forget deletes the copies that are past their retention.
func (a *Aggregator) forget(ctx context.Context) {
	maps.DeleteFunc(a.closings, func(w protocol.Window, _ settled) bool { return w+a.kept() < a.next })
	var old []string
	var errs []error
	for _, kind := range []protocol.Kind{protocol.KindAggregate, protocol.KindClosing, protocol.KindArchive} {
		errs = append(errs, store.EachKey(ctx, a.Local, kind.Prefix(), func(key string, k protocol.Key) {
			if k.Window+a.kept() < a.next {
				old = append(old, key)
			}
		}))
	}
	deleted := make([]error, len(old))
	a.Clock.Each(len(old), archiveLimit, func(i int) { deleted[i] = a.Local.Delete(ctx, old[i]) })
	if err := errors.Join(append(errs, deleted...)...); err != nil && ctx.Err() == nil {
		a.Log.Warn("old copies not deleted", "err", err)
	}
}
