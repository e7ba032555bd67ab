package aggregator

import (
	"context"
	"fmt"
	"slices"

	"templar/internal/directory"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// termOf is the term of the Aggregate of w, as far as the charges are known.
func (a *Aggregator) termOf(w protocol.Window) protocol.Term { return a.Docket.Terms().Of(w) }

// turn reads the validators' charges. When Aggregates have become void, it goes back to the first of
// them. This aggregator replaces it and those after it if it is its turn. If it is another's, it waits for
// theirs. done reports that the next window is to be looked at again.
func (a *Aggregator) turn(ctx context.Context) (done bool, err error) {
	if back, err := a.heed(ctx); back || err != nil {
		return true, err
	}
	if t := a.termOf(a.next); !a.Params.MayIssue(a.Signer.Hotkey(), t) {
		a.phase("following")
		_, verdict := a.Aggregates.Raw(ctx, a.next, t, a.Clock.Now().Add(a.Params.WindowTime()/2))
		if ctx.Err() != nil || !verdict.OK() {
			return true, ctx.Err() // the charges may have changed meanwhile
		}
		counts, size, err := a.follow(ctx, a.next)
		if err != nil {
			return true, err
		}
		a.published(counts, size, 0)
		return true, nil
	}
	return false, nil
}

// heed reads the validators' charges, and goes back if an Aggregate has become void.
func (a *Aggregator) heed(ctx context.Context) (back bool, err error) {
	before := a.Docket.Terms().Voids()
	a.Docket.Refresh(ctx, nil)
	if v, ok := firstNew(before, a.Docket.Terms().Voids()); ok && v.Window < a.next {
		return true, a.goBack(ctx, v.Window)
	}
	return false, nil
}

// awaitVoid reads the validators' charges once a block, and returns the first that makes Aggregates void; nil when ctx ends.
func (a *Aggregator) awaitVoid(ctx context.Context) *wire.Void {
	for a.Clock.Sleep(ctx, a.Params.BlockTime()) == nil {
		before := a.Docket.Terms().Voids()
		a.Docket.Refresh(ctx, nil)
		if v, ok := firstNew(before, a.Docket.Terms().Voids()); ok && v.Window < a.next {
			return &v
		}
	}
	return nil
}

// firstNew returns the void of the earliest window that was not known before.
func firstNew(before, now []wire.Void) (first wire.Void, ok bool) {
	for _, v := range now {
		if !slices.Contains(before, v) && (!ok || v.Window < first.Window) {
			first, ok = v, true
		}
	}
	return first, ok
}

// goBack makes w the next window.
func (a *Aggregator) goBack(ctx context.Context, w protocol.Window) error {
	a.Log.Warn("more than half of the stake calls an aggregate false: going back to it", "window", w, "term", uint64(a.termOf(w)))
	if w <= a.start {
		a.next, a.previous, a.term, a.owed = a.start, protocol.Hash{}, 0, a.start
		return nil
	}
	if _, _, err := a.follow(ctx, w-1); err != nil {
		return fmt.Errorf("go back to window %d: %w", w, err)
	}
	a.owed = min(a.owed, a.next)
	return nil
}

// newestIn returns the newest window of which a bucket has an Aggregate that counts.
func (a *Aggregator) newestIn(ctx context.Context, b store.Reader) (newest protocol.Window, found bool, err error) {
	err = store.EachKey(ctx, b, protocol.KindAggregate.Prefix(), func(_ string, k protocol.Key) {
		if k.Kind == protocol.KindAggregate && k.Term == a.termOf(k.Window) && (!found || k.Window > newest) {
			newest, found = k.Window, true
		}
	})
	return newest, found, err
}

// linger waits after the last window until more than half of the stake has signed the state after it, since
// until then this aggregator may have to replace an Aggregate. It waits no longer than charges may take, and
// not for validators that have signed nothing before.
func (a *Aggregator) linger(ctx context.Context) error {
	a.phase("settling")
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	if back, err := a.heed(ctx); back || err != nil {
		return err
	}
	validators := a.Directory.Validators()
	now, err := a.Schedule.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	most := directory.Stake(validators) / 2
	earlier := protocol.Window(a.Params.ValidatorOffset) + 3
	idle := a.stop < a.start+earlier || a.Docket.Samples.Applied(ctx, validators, a.stop-earlier, protocol.Hash{}) <= most
	if idle || a.Docket.Samples.Applied(ctx, validators, a.stop-1, a.previous) > most || now > a.stop+protocol.Window(a.Params.ValidatorOffset)+3 {
		a.settled = true
		return nil
	}
	return a.Clock.Sleep(ctx, a.Params.BlockTime())
}
