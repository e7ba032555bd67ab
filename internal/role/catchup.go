package role

import (
	"context"
	"errors"
	"time"

	"templar/internal/replica"
	"templar/protocol"
	"templar/wire"
)

// tellEvery is the time between two lines on a long catch-up.
const tellEvery = 15 * time.Second

// Follow is replica.Follow, and tells in the log how a catch-up gets on.
func (d *Deps) Follow(ctx context.Context, m *replica.Replica, target protocol.Window, deadline time.Time, each replica.Committed) (done bool, err error) {
	x, from := d.Exchange, m.Next()
	if target <= from+1 {
		return m.Follow(ctx, x, target, deadline, each)
	}
	d.Log.Info("catching up", "window", from, "target", target, "behind", target-from)
	began := x.Clock.Now()
	told := began
	return m.Follow(ctx, x, target, deadline, func(a *wire.Aggregate, hash protocol.Hash, size int64) error {
		if now := x.Clock.Now(); now.Sub(told) >= tellEvery {
			told = now
			applied, left := m.Next()-from, target-m.Next()
			pace := now.Sub(began) / time.Duration(applied)
			d.Log.Info("catching up", "window", m.Next(), "target", target, "behind", left, "per_window", pace.Round(time.Millisecond), "left", (pace * time.Duration(left)).Round(time.Second))
		}
		return each(a, hash, size)
	})
}

// Recover calls run, and again when the state that it worked with leads nowhere: once when it
// is not the network's, since a restore holds each checkpoint against what the validators
// say; and whenever the node has fallen behind what is kept.
func (d *Deps) Recover(ctx context.Context, run func(context.Context) error) error {
	for contradicted := false; ; {
		err := run(ctx)
		switch {
		case errors.Is(err, replica.ErrContradicted) && !contradicted:
			contradicted = true
			d.Log.Error("this node's parameters are not the network's: restoring others", "err", err)
		case errors.Is(err, replica.ErrPruned):
			d.Log.Warn("too far behind to catch up: restoring a newer state", "err", err)
			if err := d.Exchange.Clock.Sleep(ctx, d.Exchange.Params.BlockTime()); err != nil {
				return err
			}
		default:
			return err
		}
	}
}
