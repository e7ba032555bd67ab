package validator

import (
	"context"
	"errors"

	"templar/internal/bulletin"
	"templar/internal/checkpoint"
	"templar/internal/model"
	"templar/internal/role"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// start finds the announced start window. The lead validator announces one itself when
// there is none.
func (v *Validator) start(ctx context.Context) (wire.StartWindow, error) {
	waiting := role.Waiting(v.Log, v.Events)
	for {
		if err := v.Directory.Refresh(ctx); err != nil {
			return wire.StartWindow{}, err
		}
		s, by, err := v.Board.FetchStart(ctx)
		switch {
		case err == nil && by.Hotkey != v.Outbox.Signer.Hotkey():
			return s, v.Board.PostStart(ctx, s) // so that the announcement survives its first author
		case err == nil || errors.Is(err, bulletin.ErrOtherRun):
			return s, err
		}
		lead, ok := v.Directory.Lead()
		if errors.Is(err, store.ErrNotFound) && ok && lead.Hotkey == v.Outbox.Signer.Hotkey() {
			if err := v.announce(ctx); err != nil {
				return s, err
			}
			continue
		}
		waiting(err)
		if err := v.Clock.Sleep(ctx, v.Schedule.Poll()); err != nil {
			return s, err
		}
	}
}

// announce draws theta_0, stores it as the run's first checkpoint, and posts the start
// window before it begins.
func (v *Validator) announce(ctx context.Context) error {
	v.Events.Phase(0, "announcing")
	params := model.Init(v.Params.Model, v.Params.Seed)
	start, err := v.upcoming(ctx)
	if err != nil {
		return err
	}
	theta0 := checkpoint.State{Start: start, Next: start, Params: params}
	if _, _, err := v.Saver.Save(ctx, v.Outbox.Bucket, theta0); err != nil {
		return err
	}
	if now, err := v.Schedule.CurrentWindow(ctx); err != nil || now >= start {
		return err // the upload took too long: the next try begins later
	}
	v.Log.Info("run announced", "window", start, "run", v.Hash.Short())
	return v.Board.PostStart(ctx, wire.StartWindow{Run: v.Hash, StartWindow: start, StateHash: v.Space.Hash(params)})
}

// upcoming returns the next window that starts late enough for all nodes to learn of it.
func (v *Validator) upcoming(ctx context.Context) (protocol.Window, error) {
	head, err := v.Chain.Head(ctx)
	if err != nil {
		return 0, err
	}
	const notice = 2 // blocks
	return v.Params.WindowOf(head.Number+notice) + 1, nil
}
