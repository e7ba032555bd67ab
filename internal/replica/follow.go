package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"templar/internal/attest"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/memory"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
)

// maxRound bounds how many Aggregates are asked for at once; package memory bounds their size.
const maxRound = 16

// ErrContradicted is wrapped when the replayed state differs from the one that most of the
// validators' stake holds: the restored state was wrong, or memory is corrupt.
var ErrContradicted = errors.New("the validators hold other parameters")

// ErrPruned is wrapped when the next Aggregate is past its retention: the node was down too long to
// catch up from its state.
var ErrPruned = errors.New("the next aggregates are past their retention")

// Committed is called for each window that a Follow committed.
type Committed func(a *run.Aggregate, hash protocol.Hash, bytes int64) error

// Source provides the Aggregates of a replica, and the validators' statements about them.
type Source struct {
	Aggregates mailbox.Aggregates
	Samples    attest.Samples
	Docket     *attest.Docket
	Directory  *directory.Directory
	Hotkey     protocol.Hotkey // the node's own, whose sample counts for its state
	Log        *slog.Logger    // logs the progress of a long catch-up
}

func (r *Replica) follow(ctx context.Context, from Source, target protocol.Window, deadline time.Time, each Committed) (done bool, err error) {
	f := &follower{Replica: r, from: from, target: target, each: each}
	if err := r.Settle(ctx, from, target); err != nil {
		return false, err
	}
	var ready []fetched
	for asked := r.next; ; {
		n := min(f.round(), int(min(target-min(asked, target), maxRound)))
		if n == 0 && len(ready) == 0 {
			return r.next >= target, nil
		}
		if soon := from.clock().Now().Add(time.Duration(n) * r.run.Params.Gather()); soon.After(deadline) {
			deadline = soon
		}
		if ready, err = f.step(ctx, ready, asked, n, deadline); err != nil {
			return false, err
		}
		if ready == nil {
			return false, nil
		}
		asked += protocol.Window(n)
	}
}

func (s Source) clock() clock.Clock { return s.Aggregates.Schedule.Clock }

type follower struct {
	*Replica
	from   Source
	target protocol.Window
	each   Committed
}

// fetched is an Aggregate, or why there is none.
type fetched struct {
	aggregate *run.Aggregate
	hash      protocol.Hash
	size      int64
	verdict   protocol.Verdict
}

// round returns how many Aggregates are fetched while the same number is applied.
func (f *follower) round() int {
	return min(maxRound, int(memory.Round(f.run.Method.MaxUpdate)))
}

// step commits the fetched Aggregates and concurrently fetches n more from window asked on. It
// returns nil when one of the fetched ones does not exist yet.
func (f *follower) step(ctx context.Context, ready []fetched, asked protocol.Window, n int, deadline time.Time) ([]fetched, error) {
	fetching, cancel := context.WithCancel(ctx)
	defer cancel()
	coming := make([]fetched, n)
	terms := f.from.Docket.Terms()
	var all bool
	var err error
	f.from.clock().Each(n+1, n+1, func(i int) {
		if i < n {
			c := &coming[i]
			w := asked + protocol.Window(i)
			c.aggregate, c.hash, c.size, c.verdict = f.from.Aggregates.Fetch(fetching, w, terms.Of(w), deadline)
			return
		}
		if all, err = f.commit(ctx, ready); !all {
			cancel()
		}
	})
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil || !all {
		return nil, err
	}
	return coming, nil
}

// commit applies Aggregates in order. all is false when one is missing.
func (f *follower) commit(ctx context.Context, ready []fetched) (all bool, err error) {
	for i := range ready {
		got := ready[i]
		ready[i].aggregate = nil // it is large
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case got.verdict == protocol.VerdictMissing || got.verdict == protocol.VerdictUnreachable:
			return false, f.pruned(ctx)
		case !got.verdict.OK():
			return false, f.refuse(fmt.Errorf("aggregate of window %d: %s", f.next, got.verdict))
		}
		if err := f.Commit(got.aggregate, got.hash); err != nil {
			return false, f.refuse(err)
		}
		f.refused = 0
		f.remember(ctx, f.from)
		if len(f.Replica.open) >= looksBack { // behind: what is old can be compared
			if err := f.settle(ctx, f.from, f.target); err != nil {
				return false, err
			}
		}
		if err := f.each(got.aggregate, got.hash, got.size); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pruned reports whether the next Aggregate is missing because it is past its retention.
func (f *follower) pruned(ctx context.Context) error {
	if f.next+schedule.Retention(f.run.Params) >= f.target {
		return nil
	}
	ctx, cancel := f.from.Aggregates.Schedule.WithTimeout(ctx)
	defer cancel()
	if _, err := f.from.Aggregates.Bucket.Head(ctx, protocol.AggregateKey(f.next, f.from.Docket.Terms().Of(f.next))); errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("window %d: %w", f.next, ErrPruned)
	}
	return nil // the store does not answer, or was just filled
}

// refuse counts an Aggregate that is refused.
func (r *Replica) refuse(err error) error {
	if r.refused++; r.refused >= refusals {
		return fmt.Errorf("%w: %w", ErrStranded, err)
	}
	return err
}
