// Package resume restores the state from which a role that holds the model starts, and another
// one when that state is contradicted or too old.
package resume

import (
	"context"
	"errors"
	"log/slog"
	"math"

	"templar/internal/checkpoint"
	"templar/internal/replica"
	"templar/internal/schedule"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Any is the window for a Restore that prefers no state over a newer one.
const Any = protocol.Window(math.MaxUint64)

// restoreTries is how often a node looks for a checkpoint before it ends: an announced run has
// one, and the usual cause of a failure is a store that is temporarily unavailable.
const restoreTries = 5

// Restore returns the newest usable state, with the private state. A role that still has work to
// do on window w prefers the newest state that is not after w.
func Restore(ctx context.Context, from checkpoint.Finder, events telemetry.Reporter, announced wire.StartWindow, w protocol.Window) (*replica.Replica, checkpoint.State, error) {
	s, err := from.Restore(ctx, announced, w)
	for again := 1; errors.Is(err, checkpoint.ErrNone) && again < restoreTries; again++ {
		from.Log.Warn("no usable checkpoint yet: looking again in the next window")
		if err := from.Schedule.Clock.Sleep(ctx, from.Run.Params.WindowTime()); err != nil {
			return nil, s, err
		}
		s, err = from.Restore(ctx, announced, w)
	}
	if err != nil {
		return nil, s, err
	}
	r := replica.New(from.Run, announced, replica.Head{Next: s.Next, Previous: s.Previous, Term: s.Term}, s.Params)
	events.Emit(s.Next, telemetry.Started{StartWindow: s.Start, Parameters: len(s.Params), StateHash: r.StateHash()})
	return r, s, nil
}

// Recover calls run, and calls it again when its state cannot be continued: when it differs from that of
// most of the stake, when an Aggregate in it was found to be false, when every Aggregate is refused, or
// when the node has fallen behind the retention of Aggregates. A restore takes final states only, so that
// the node goes on from what most of the stake has signed.
func Recover(ctx context.Context, s schedule.Schedule, log *slog.Logger, run func(context.Context) error) error {
	for {
		err := run(ctx)
		pause := s.Params.BlockTime()
		switch {
		case errors.Is(err, replica.ErrVoid):
			log.Warn("returning to the last final state", "err", err)
			pause = 0
		case errors.Is(err, replica.ErrContradicted), errors.Is(err, replica.ErrStranded):
			log.Error("this node's parameters are not the network's: restoring the last final state", "err", err)
		case errors.Is(err, replica.ErrPruned):
			log.Warn("too far behind to catch up: restoring a newer state", "err", err)
		default:
			return err
		}
		if err := s.Clock.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// Lost reports whether a state cannot be continued, so that a restore is needed.
func Lost(err error) bool {
	for _, lost := range []error{replica.ErrVoid, replica.ErrContradicted, replica.ErrStranded, replica.ErrPruned} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}
