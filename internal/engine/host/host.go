// Package host holds the state of an engine that computes in the process's own memory:
// parameters that the caller lends, a gradient, the moments of AdamW, and a trial step. An
// engine embeds State and adds Loss and Accumulate.
//
// Work is shared in blocks of fixed size, and sums are added up in their order, so that the
// bits do not depend on the number of workers.
package host

import (
	"context"
	"fmt"

	"templar/internal/engine"
	"templar/internal/kernel/gemm"
	"templar/protocol"
)

// State is the part of an engine.Engine that does not know the model. Create it with New. It
// is not for concurrent use.
type State struct {
	layout protocol.Layout
	runner gemm.Runner
	closed bool

	params []float32 // the caller's; nil: none are loaded
	grads  []float32 // nil: zero
	steps  uint64    // of the optimizer
	first  []float32 // moments; nil: zero
	second []float32
	trial  *trial // nil: none stands

	// A place for each kind of task, so that a step allocates nothing.
	squares squares
	move    move
}

// New returns a State for a layout, whose work the runner shares.
func New(l protocol.Layout, r gemm.Runner) *State { return &State{layout: l, runner: r} }

// Layout is the tensor table of the model.
func (s *State) Layout() protocol.Layout { return s.layout }

// Usage is nothing: what an engine spends, it counts itself.
func (s *State) Usage() engine.Usage { return engine.Usage{} }

// Load keeps params: nothing is copied.
func (s *State) Load(ctx context.Context, params []float32) error {
	if err := s.free(ctx); err != nil {
		return err
	}
	if len(params) != s.layout.Size() {
		return fmt.Errorf("load: %d parameters for a model of %d", len(params), s.layout.Size())
	}
	s.params = params
	return nil
}

// Params copies the parameters to dst, unless they are there.
func (s *State) Params(ctx context.Context, dst []float32) error {
	params, err := s.Loaded(ctx)
	if err != nil {
		return err
	}
	if len(dst) != len(params) {
		return fmt.Errorf("read parameters: %d places for %d", len(dst), len(params))
	}
	if len(dst) > 0 && &dst[0] != &params[0] {
		copy(dst, params)
	}
	return nil
}

// Gradient is the State's own memory.
func (s *State) Gradient(ctx context.Context) ([]float32, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if s.grads == nil {
		s.grads = make([]float32, s.layout.Size())
	}
	return s.grads, nil
}

// ClearGradient makes the gradient zero.
func (s *State) ClearGradient(ctx context.Context) error {
	if err := s.free(ctx); err != nil {
		return err
	}
	clear(s.grads)
	return nil
}

// Close undoes a trial step that stands, gives the parameters back and forgets the rest. The
// runner must still run.
func (s *State) Close() error {
	s.undo(s.trial)
	*s = State{layout: s.layout, closed: true}
	return nil
}

// Loaded returns the parameters, for the engine that embeds the State to compute a loss.
func (s *State) Loaded(ctx context.Context) ([]float32, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if s.params == nil {
		return nil, engine.ErrNotLoaded
	}
	return s.params, nil
}

// Accumulator returns the parameters and the gradient, for the engine that embeds the State to
// add to.
func (s *State) Accumulator(ctx context.Context) (params, grads []float32, err error) {
	if err := s.free(ctx); err != nil {
		return nil, nil, err
	}
	if params, err = s.Loaded(ctx); err == nil {
		grads, err = s.Gradient(ctx)
	}
	return params, grads, err
}

// open returns an error when nothing can be done any more.
func (s *State) open(ctx context.Context) error {
	if s.closed {
		return engine.ErrClosed
	}
	return ctx.Err()
}

// free returns an error when the State must not change.
func (s *State) free(ctx context.Context) error {
	if s.trial != nil {
		return engine.ErrTrial
	}
	return s.open(ctx)
}
