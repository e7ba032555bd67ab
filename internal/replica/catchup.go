package replica

import (
	"context"
	"time"

	"templar/internal/run"
	"templar/protocol"
)

// logEvery is the time between two log lines during a long catch-up.
const logEvery = 15 * time.Second

// Follow fetches and commits Aggregates in order until the target window is next. It
// waits for them until the deadline, but for each at least as long as a gather takes, so that a
// node that is far behind catches up in one call. done is false when an Aggregate was not
// available in time. An Aggregate that contradicts the committed state is an error, and so is
// one that is past its retention (ErrPruned).
//
// While one round of Aggregates is applied the next is fetched. The state after a window that the
// validators have passed is compared with the hash that they published; a contradiction ends
// Follow with ErrContradicted.
func (r *Replica) Follow(ctx context.Context, source Source, target protocol.Window, deadline time.Time, each Committed) (done bool, err error) {
	from := r.next
	if target <= from+1 {
		return r.follow(ctx, source, target, deadline, each)
	}
	source.Log.Info("catching up", "window", from, "target", target, "behind", target-from)
	began := source.clock().Now()
	logged := began
	return r.follow(ctx, source, target, deadline, func(a *run.Aggregate, hash protocol.Hash, size int64) error {
		if now := source.clock().Now(); now.Sub(logged) >= logEvery {
			logged = now
			applied, left := r.next-from, target-r.next
			pace := now.Sub(began) / time.Duration(applied)
			source.Log.Info("catching up", "window", r.next, "target", target, "behind", left, "per_window", pace.Round(time.Millisecond), "left", (pace * time.Duration(left)).Round(time.Second))
		}
		return each(a, hash, size)
	})
}
