package replica

import (
	"context"
	"time"

	"templar/internal/run"
	"templar/protocol"
)

// tellEvery is the time between two lines on a long catch-up.
const tellEvery = 15 * time.Second

// Follow fetches and commits Aggregates in order until the target window is next. It
// waits for them until the deadline, and for each as long as a gather takes all the
// same, so that a node that is far behind catches up in one go. done is false when an
// Aggregate was not to be had in time; an Aggregate that contradicts the committed
// state is an error, and so is one that is kept no longer (ErrPruned).
//
// While one round of Aggregates is applied the next is fetched. The state after a window that
// the validators are past is held against the hash that they have published of it;
// ErrContradicted ends it.
func (r *Replica) Follow(ctx context.Context, source Source, target protocol.Window, deadline time.Time, each Committed) (done bool, err error) {
	from := r.next
	if target <= from+1 {
		return r.follow(ctx, source, target, deadline, each)
	}
	source.Log.Info("catching up", "window", from, "target", target, "behind", target-from)
	began := source.clock().Now()
	told := began
	return r.follow(ctx, source, target, deadline, func(a *run.Aggregate, hash protocol.Hash, size int64) error {
		if now := source.clock().Now(); now.Sub(told) >= tellEvery {
			told = now
			applied, left := r.next-from, target-r.next
			pace := now.Sub(began) / time.Duration(applied)
			source.Log.Info("catching up", "window", r.next, "target", target, "behind", left, "per_window", pace.Round(time.Millisecond), "left", (pace * time.Duration(left)).Round(time.Second))
		}
		return each(a, hash, size)
	})
}
