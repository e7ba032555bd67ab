package cpu

import (
	"context"
	"time"

	"templar/internal/engine"
)

// call is when a computation began, by the clock and by the processor time of its thread.
type call struct {
	at    time.Time
	spent time.Duration
}

// begin begins to count a call, whose goroutine stays on its thread until its end. Calls are counted
// rather than the tasks of the pool: those last for microseconds, as two readings of the clock do.
func (e *Engine) begin() call { return call{time.Now(), e.pool.begin()} }

func (e *Engine) end(c call) {
	e.pool.end(c.spent)
	e.busy.Add(int64(time.Since(c.at)))
}

// Usage is what the engine has spent on losses, gradients and steps.
func (e *Engine) Usage() engine.Usage {
	return engine.Usage{Busy: time.Duration(e.busy.Load()), CPU: time.Duration(e.pool.spent.Load())}
}

// Step moves parameters and moments in place.
func (e *Engine) Step(ctx context.Context, o engine.AdamW) (norm float64, err error) {
	defer e.end(e.begin())
	return e.State.Step(ctx, o)
}

// Try takes the step in place.
func (e *Engine) Try(ctx context.Context, step engine.Step) (undo func(context.Context) error, err error) {
	defer e.end(e.begin())
	back, err := e.State.Try(ctx, step)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		defer e.end(e.begin())
		return back(ctx)
	}, nil
}
