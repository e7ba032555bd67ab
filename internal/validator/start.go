package validator

import (
	"context"
	"time"

	"templar/internal/bulletin"
	"templar/internal/checkpoint"
	"templar/internal/role"
	"templar/protocol"
	"templar/wire"
)

// start finds the announced start window, and repeats the announcement, so that more than half of
// the stake stands behind it. Where there is none, the validator with the highest stake makes one; after
// every two windows without one the next stake may as well.
func (v *Validator) start(ctx context.Context) (wire.StartWindow, error) {
	if err := v.serveTheta0(ctx); err != nil {
		return wire.StartWindow{}, err
	}
	waiting := role.Waiting(v.Log, v.Events)
	began := v.Clock.Now()
	for {
		if err := v.Directory.Refresh(ctx); err != nil {
			return wire.StartWindow{}, err
		}
		s, err := v.Board.Start(ctx)
		switch {
		case err == nil:
			return s, v.Board.PostStart(ctx, s)
		case bulletin.Hopeless(err):
			return s, err
		}
		if err := v.propose(ctx, began); err != nil {
			return s, err
		}
		waiting(err)
		if err := v.Clock.Sleep(ctx, v.Schedule.Poll()); err != nil {
			return s, err
		}
	}
}

// propose posts an announcement: of those that others have made and that are still ahead, the one with
// the most stake, or else one of its own, when it is this validator's turn. One that it has posted
// stands until its window has begun without a majority.
func (v *Validator) propose(ctx context.Context, began time.Time) error {
	now, err := v.Schedule.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	theta0 := v.theta0()
	p := v.Board.Proposals(v.Board.Announcements(ctx), now, theta0)
	switch turn := began.Add(time.Duration(2*p.Rank) * v.Params.WindowTime()); {
	case p.Mine.StartWindow > 0:
		return nil
	case p.Best.StartWindow > 0:
		return v.Board.PostStart(ctx, p.Best)
	case p.Rank < 0 || v.Clock.Now().Before(turn):
		return nil
	}
	v.Events.Phase(0, "announcing")
	s := wire.StartWindow{Run: v.Hash, StateHash: theta0}
	if s.StartWindow, err = v.Schedule.Upcoming(ctx); err != nil {
		return err
	}
	v.Log.Info("run announced", "window", s.StartWindow, "run", v.Hash.Short())
	return v.Board.PostStart(ctx, s)
}

// theta0 is the state hash of the run's theta_0. It is computed before a run is announced, so that only
// what is ready is announced.
func (v *Validator) theta0() protocol.Hash {
	if v.origin.IsZero() {
		v.origin = checkpoint.HashOfTheta0(v.Deps.Run)
	}
	return v.origin
}

// serveTheta0 stores an imported theta_0 in the own bucket, before the run is announced.
func (v *Validator) serveTheta0(ctx context.Context) error {
	if v.cfg.Theta0 == "" {
		return nil
	}
	return v.Saver.ServeTheta0(ctx, v.Outbox.Bucket, v.cfg.Theta0, func() { v.Events.Phase(0, "uploading theta_0") })
}
