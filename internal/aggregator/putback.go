package aggregator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/clock"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
)

// putBack stores those Aggregates of the last windows again that the bucket has lost. A failure
// is tried again in the next window.
func (a *Aggregator) putBack(ctx context.Context) {
	ctx, cancel := a.Schedule.WithTimeout(ctx)
	defer cancel()
	oldest := a.next - min(a.next-a.start, a.kept())
	lost := a.lost(ctx, oldest)
	if len(lost) == 0 {
		return
	}
	if lost[0] == oldest {
		a.reportOlder(ctx, oldest)
	}
	for w, want := a.next-1, a.previous; ; w-- {
		isLost := slices.Contains(lost, w)
		c, err := a.chained(ctx, w, want, isLost)
		if c != nil {
			err = a.put(ctx, c, isLost)
		}
		if err != nil {
			a.Log.Warn("aggregate not put back, trying again", "window", w, "err", err)
			return
		}
		if c == nil {
			a.reportGone(lost[0], w)
			return
		}
		if w == lost[0] {
			return
		}
		want = c.Previous
	}
}

// lost lists the windows from oldest on whose Aggregates the bucket does not have.
func (a *Aggregator) lost(ctx context.Context, oldest protocol.Window) (lost []protocol.Window) {
	ctx, cancel := clock.WithTimeout(ctx, a.Clock, a.Params.Gather())
	defer cancel()
	missing := make([]bool, a.next-oldest)
	a.Clock.Each(len(missing), len(missing), func(i int) { missing[i] = a.missing(ctx, oldest+protocol.Window(i)) })
	for i, is := range missing {
		if is {
			lost = append(lost, oldest+protocol.Window(i))
		}
	}
	return lost
}

func (a *Aggregator) missing(ctx context.Context, w protocol.Window) bool {
	_, err := a.Shelf.Bucket.Head(ctx, protocol.AggregateKey(w, a.termOf(w)))
	return errors.Is(err, store.ErrNotFound)
}

// reportOlder logs which Aggregates are missing that are older than our copies.
func (a *Aggregator) reportOlder(ctx context.Context, oldest protocol.Window) {
	from := oldest
	for from > a.start && from+schedule.Retention(a.Params) > a.next && a.missing(ctx, from-1) {
		from--
	}
	if from < oldest {
		a.reportGone(from, oldest-1)
	}
}

// reportGone logs Aggregates that are permanently lost to nodes that have not applied them.
func (a *Aggregator) reportGone(from, to protocol.Window) {
	a.Log.Error("aggregates are gone from the bucket, and there is no copy to put back", "from", from, "to", to)
}

// chained returns the Aggregate of w, which has this hash, from our disk, or else from the bucket
// unless it is lost there. A copy with another hash is one that a standby was ahead of.
func (a *Aggregator) chained(ctx context.Context, w protocol.Window, hash protocol.Hash, lost bool) (*copied, error) {
	c, err := a.copyOf(ctx, w)
	if err != nil || (c != nil && c.hash == hash) {
		return c, err
	}
	if lost {
		return nil, nil
	}
	raw, verdict := a.Aggregates.Raw(ctx, w, a.termOf(w), a.Clock.Now().Add(a.Params.Gather()))
	if !verdict.OK() {
		return nil, fmt.Errorf("published aggregate of window %d: %s", w, verdict)
	}
	if c = a.decode(raw, w); c == nil || c.hash != hash {
		return nil, fmt.Errorf("the stored aggregate of window %d is not the one that the next window names", w)
	}
	return c, nil
}

// put stores the lost gradients of an Aggregate again, and then the Aggregate if it is lost too.
func (a *Aggregator) put(ctx context.Context, c *copied, isLost bool) error {
	err := a.putClosing(ctx, c.Window)
	if err != nil {
		return err
	}
	err = a.putNamed(ctx, names(c.Aggregate))
	if err != nil || !isLost {
		return err
	}
	if _, err := a.Shelf.Create(ctx, protocol.AggregateKey(c.Window, c.Term), c.raw); err != nil {
		return err
	}
	a.Log.Warn("the store had lost an aggregate: restored it from a copy", "window", c.Window, "aggregate", c.hash.Short())
	return nil
}

// putClosing stores a closing statement again that the bucket has lost.
func (a *Aggregator) putClosing(ctx context.Context, w protocol.Window) error {
	raw, _, err := store.ReadAll(ctx, a.Local, protocol.ClosingKey(w), -1)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = a.putAbsent(ctx, protocol.ClosingKey(w), raw)
	}
	return err
}
