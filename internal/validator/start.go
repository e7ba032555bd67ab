package validator

import (
	"context"
	"errors"

	"templar/internal/checkpoint"
	"templar/internal/exchange"
	"templar/internal/model"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// start finds the announced start window. The lead validator announces one itself when
// there is none.
func (v *Validator) start(ctx context.Context) (wire.StartWindow, error) {
	x, waiting := v.Exchange, v.Waiting()
	for {
		if err := x.Directory.Refresh(ctx); err != nil {
			return wire.StartWindow{}, err
		}
		s, by, err := x.FetchStart(ctx)
		switch {
		case err == nil && by.Hotkey != x.Signer.Hotkey():
			return s, x.PostStart(ctx, s) // so that the run outlives who announced it
		case err == nil || errors.Is(err, exchange.ErrOtherRun):
			return s, err
		}
		lead, ok := x.Directory.Lead()
		if errors.Is(err, store.ErrNotFound) && ok && lead.Hotkey == x.Signer.Hotkey() {
			if err := v.announce(ctx); err != nil {
				return s, err
			}
			continue
		}
		waiting(err)
		if err := x.Clock.Sleep(ctx, x.Poll()); err != nil {
			return s, err
		}
	}
}

// announce draws theta_0, stores it as the run's first checkpoint, and posts the start
// window before it begins.
func (v *Validator) announce(ctx context.Context) error {
	x := v.Exchange
	v.Phase(0, "announcing")
	params := model.Init(x.Params.Model, x.Params.Seed)
	start, err := v.upcoming(ctx)
	if err != nil {
		return err
	}
	theta0 := checkpoint.State{Start: start, Next: start, Params: params}
	if _, _, err := v.Save(ctx, x.Own, theta0); err != nil {
		return err
	}
	if now, err := x.CurrentWindow(ctx); err != nil || now >= start {
		return err // the upload took too long: the next try begins later
	}
	v.Log.Info("run announced", "window", start, "run", x.Hash.Short())
	return x.PostStart(ctx, wire.StartWindow{Run: x.Hash, StartWindow: start, StateHash: x.Codec.StateHash(params)})
}

// upcoming returns the next window that everybody has time to hear of.
func (v *Validator) upcoming(ctx context.Context) (protocol.Window, error) {
	x := v.Exchange
	head, err := x.Chain.Head(ctx)
	if err != nil {
		return 0, err
	}
	const notice = 2 // blocks
	return x.Params.WindowOf(head.Number+notice) + 1, nil
}
