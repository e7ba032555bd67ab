package sim

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"templar/internal/engine"
)

// cores compute for engines while the scheduler goes on. With none, engines compute at once.
type cores chan struct{}

func newCores(threads int) cores {
	if threads <= 1 {
		return nil
	}
	return make(cores, threads)
}

// start begins work and returns a function that waits for its end.
func (c cores) start(work func()) (wait func()) {
	if c == nil {
		work()
		return func() {}
	}
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if cause := recover(); cause != nil {
				failed = fmt.Errorf("%v\n%s", cause, debug.Stack())
			}
		}()
		c <- struct{}{}
		defer func() { <-c }()
		work()
	}()
	return func() {
		if <-done; failed != nil {
			panic(failed)
		}
	}
}

// timed is an engine whose work takes virtual time. It computes meanwhile: as no other task
// needs the result before that time is over, several nodes' engines compute at once, and the order of what
// happens does not depend on how long they take.
type timed struct {
	engine.Engine
	process *process
	node    *Node
	busy    time.Duration
}

var _ engine.Engine = (*timed)(nil)

// Usage is that of the machine in virtual time, on one core.
func (e *timed) Usage() engine.Usage { return engine.Usage{Busy: e.busy, CPU: e.busy} }

// forward is the share of a training step's time that a loss takes: a forward pass has a third of
// the products.
const forward = 1.0 / 3

func (e *timed) Loss(ctx context.Context, b engine.Batch) (loss engine.Loss, err error) {
	err = e.compute(ctx, forward*float64(len(b.Inputs)), func() error {
		loss, err = e.Engine.Loss(context.WithoutCancel(ctx), b)
		return err
	})
	return loss, err
}

func (e *timed) Accumulate(ctx context.Context, b engine.Batch, scale float32) (loss engine.Loss, err error) {
	err = e.compute(ctx, float64(len(b.Inputs)), func() error {
		loss, err = e.Engine.Accumulate(context.WithoutCancel(ctx), b, scale)
		return err
	})
	return loss, err
}

// compute does work that takes as long as training on so many tokens. It returns when the work has ended, also
// when the process was killed meanwhile: the memory is the process's.
func (e *timed) compute(ctx context.Context, tokens float64, work func() error) (err error) {
	if e.process.dead || ctx.Err() != nil {
		return ended(ctx)
	}
	wait := e.node.net.cores.start(func() { err = work() })
	took := time.Duration(tokens / e.node.machine().Speed * float64(time.Second))
	e.busy += took
	interrupted := e.process.wait(ctx, func(t *task) {
		wake := e.process.s.waker(t)
		e.process.s.after(took, wake)
	})
	wait()
	if interrupted != nil {
		return interrupted
	}
	return err
}
