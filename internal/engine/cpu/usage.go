package cpu

import (
	"context"
	"time"

	"templar/internal/engine"
)

// compute counts a call that began at a time.
func (e *Engine) compute(began time.Time) { e.busy.Add(int64(time.Since(began))) }

// Usage is what the engine has spent on losses, gradients and steps.
func (e *Engine) Usage() engine.Usage {
	return engine.Usage{Busy: time.Duration(e.busy.Load()), CPU: time.Duration(e.pool.spent.Load())}
}

// Step moves parameters and moments in place.
func (e *Engine) Step(ctx context.Context, o engine.AdamW) (norm float64, err error) {
	defer e.compute(time.Now())
	return e.State.Step(ctx, o)
}

// Try takes the step in place.
func (e *Engine) Try(ctx context.Context, step engine.Step) (undo func(context.Context) error, err error) {
	defer e.compute(time.Now())
	back, err := e.State.Try(ctx, step)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		defer e.compute(time.Now())
		return back(ctx)
	}, nil
}
