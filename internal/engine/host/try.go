package host

import (
	"context"
	"math"

	"templar/internal/engine"
)

// Try takes the step in place. Adding its deltas again takes it back for nearly all
// parameters; the others, about one in a hundred of a trained model, are kept aside, so that
// there is no second copy of the parameters.
func (s *State) Try(ctx context.Context, step engine.Step) (undo func(context.Context) error, err error) {
	if err := s.free(ctx); err != nil {
		return nil, err
	}
	params, err := s.Loaded(ctx)
	if err != nil {
		return nil, err
	}
	t := &trial{step: step, params: params, aside: make([][]kept, blocks(len(params))), deltas: make([][]float32, s.runner.Workers())}
	for i := range t.deltas {
		t.deltas[i] = make([]float32, block)
	}
	s.trial = t
	s.runner.Run(len(t.aside), 1, t)
	return func(context.Context) error {
		s.undo(t)
		return nil
	}, nil
}

// undo takes t back, if it is what stands.
func (s *State) undo(t *trial) {
	if t == nil || s.trial != t {
		return
	}
	t.back = true
	s.runner.Run(len(t.aside), 1, t)
	s.trial = nil
}

// trial is a step that stands, and the task that takes it, and takes it back.
type trial struct {
	step   engine.Step
	params []float32
	back   bool
	aside  [][]kept    // by block
	deltas [][]float32 // scratch of each worker
}

// kept is a parameter that adding its delta does not bring back.
type kept struct {
	at    int
	value float32
}

// Do handles the blocks lo <= b < hi.
func (t *trial) Do(worker, lo, hi int) {
	for b := lo; b < hi; b++ {
		at := b * block
		params := t.params[at:min(at+block, len(t.params))]
		deltas := t.deltas[worker][:len(params)]
		t.step(deltas, at)
		if t.back {
			restore(params, deltas, t.aside[b])
		} else {
			t.aside[b] = take(params, deltas)
		}
	}
}

func take(params, deltas []float32) (aside []kept) {
	for i, d := range deltas {
		before := params[i]
		after := before - d
		if math.Float32bits(after+d) != math.Float32bits(before) {
			aside = append(aside, kept{i, before})
		}
		params[i] = after
	}
	return aside
}

func restore(params, deltas []float32, aside []kept) {
	for i, d := range deltas {
		params[i] += d
	}
	for _, k := range aside {
		params[k.at] = k.value
	}
}
