package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"templar/internal/attest"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
)

const (
	// aheadBytes bounds the Aggregates that Follow holds at once: those that are being
	// applied and those that are being fetched meanwhile.
	aheadBytes = 1 << 30
	// maxRound bounds how many are asked for at once.
	maxRound = 16
)

// ErrContradicted is wrapped when the replayed state is not the one that most of the
// validators' stake holds: what the node restored was wrong, or its memory is.
var ErrContradicted = errors.New("the validators hold other parameters")

// ErrPruned is wrapped when the next Aggregate is so old that it is kept no longer: the node
// was away too long to catch up from where it is.
var ErrPruned = errors.New("the aggregates from here on are kept no longer")

// Committed is called for each window that a Follow committed.
type Committed func(a *run.Aggregate, hash protocol.Hash, bytes int64) error

// Source is where a replica takes Aggregates from, and what the states that they lead to are
// held against.
type Source struct {
	Aggregates mailbox.Aggregates
	Samples    attest.Samples
	Directory  *directory.Directory
	Hotkey     protocol.Hotkey // the node's own, whose word counts for its state
	Log        *slog.Logger    // is told how a long catch-up gets on
}

func (r *Replica) follow(ctx context.Context, from Source, target protocol.Window, deadline time.Time, each Committed) (done bool, err error) {
	f := &follower{Replica: r, from: from, target: target, each: each, witnesses: from.Directory.Validators()}
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
	from      Source
	target    protocol.Window
	each      Committed
	witnesses []directory.Peer // validators whose stores answer
	stake     uint64           // of all validators
}

// fetched is an Aggregate, or why there is none.
type fetched struct {
	aggregate *run.Aggregate
	hash      protocol.Hash
	size      int64
	verdict   protocol.Verdict
}

// round is how many Aggregates are fetched while as many are applied.
func (f *follower) round() int {
	return max(1, min(maxRound, int(aheadBytes/2/max(1, f.run.Method.MaxUpdate))))
}

// step commits what is ready and fetches n Aggregates from window asked on meanwhile. It
// returns nil when one of those that were ready is not there yet.
func (f *follower) step(ctx context.Context, ready []fetched, asked protocol.Window, n int, deadline time.Time) ([]fetched, error) {
	fetching, cancel := context.WithCancel(ctx)
	defer cancel()
	coming := make([]fetched, n)
	var all bool
	var err error
	f.from.clock().Each(n+1, n+1, func(i int) {
		if i < n {
			c := &coming[i]
			c.aggregate, c.hash, c.size, c.verdict = f.from.Aggregates.Fetch(fetching, asked+protocol.Window(i), deadline)
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
			return false, fmt.Errorf("aggregate of window %d: %s", f.next, got.verdict)
		}
		if err := f.Commit(got.aggregate, got.hash); err != nil {
			return false, err
		}
		if err := f.compare(ctx); err != nil {
			return false, err
		}
		if err := f.each(got.aggregate, got.hash, got.size); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pruned tells whether the next Aggregate is missing because it is kept no longer.
func (f *follower) pruned(ctx context.Context) error {
	if f.next+schedule.Retention(f.run.Params) >= f.target {
		return nil
	}
	ctx, cancel := f.from.Aggregates.Schedule.WithTimeout(ctx)
	defer cancel()
	if _, err := f.from.Aggregates.Bucket.Head(ctx, protocol.AggregateKey(f.next)); errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("window %d: %w", f.next, ErrPruned)
	}
	return nil // the store does not answer, or has just been filled
}

// compare holds the committed state against the hash that the validators have published of
// it, if it is old enough for them to have done so.
func (f *follower) compare(ctx context.Context) error {
	if f.next+protocol.Window(f.run.Params.ValidatorOffset) >= f.target {
		return nil
	}
	a := f.from.Samples.Attest(ctx, f.witnesses, f.State(), f.from.Hotkey)
	f.stake = max(f.stake, a.Total) // of all, those included that are not asked any more
	a.Total = f.stake
	f.witnesses = slices.DeleteFunc(f.witnesses, func(p directory.Peer) bool { return slices.Contains(a.Unreachable, p.Hotkey) })
	if a.Outvoted() {
		return fmt.Errorf("after window %d: %w (%v)", f.next-1, ErrContradicted, a)
	}
	return nil
}
