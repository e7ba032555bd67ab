package enginetest_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/enginetest"
	"templar/protocol"
)

// A toy engine passes the suite. It keeps everything in memory of its own, as one on a device
// does, so that the suite demands nothing of an engine that only the caller's memory can give.
func TestToy(t *testing.T) {
	enginetest.Run(t, func(m protocol.Model, _ int) (engine.Engine, error) {
		if err := m.Validate(); err != nil {
			return nil, err
		}
		return &toy{model: m, layout: m.Layout()}, nil
	})
}

// toy has a quadratic loss: each counted position pulls the parameters to a place that its two
// tokens choose.
type toy struct {
	model    protocol.Model
	layout   protocol.Layout
	params   []float32 // nil: none are loaded
	grads    []float32
	moments  engine.Moments
	stands   bool // a trial step
	isClosed bool
}

// ready returns an error when a call cannot work: for one that needs parameters, one that would
// change something.
func (e *toy) ready(ctx context.Context, loaded, changes bool) error {
	switch {
	case e.isClosed:
		return engine.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case changes && e.stands:
		return engine.ErrTrial
	case loaded && e.params == nil:
		return engine.ErrNotLoaded
	case e.grads == nil:
		e.grads = make([]float32, e.layout.Size())
	}
	return nil
}

func (e *toy) Layout() protocol.Layout { return e.layout }

func (e *toy) Usage() engine.Usage { return engine.Usage{} }

func (e *toy) Close() error {
	e.isClosed = true
	return nil
}

func (e *toy) Load(ctx context.Context, params []float32) error {
	if err := e.ready(ctx, false, true); err != nil {
		return err
	}
	if len(params) != e.layout.Size() {
		return fmt.Errorf("%d parameters", len(params))
	}
	e.params = slices.Clone(params)
	return nil
}

func (e *toy) Params(ctx context.Context, dst []float32) error {
	if err := e.ready(ctx, true, false); err != nil {
		return err
	}
	if copy(dst, e.params) != len(dst) {
		return fmt.Errorf("%d places", len(dst))
	}
	return nil
}

func (e *toy) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	if err := e.ready(ctx, true, false); err != nil {
		return engine.Loss{}, err
	}
	return e.run(b, nil, 0)
}

func (e *toy) RowLosses(ctx context.Context, b engine.Batch) (out []engine.Loss, err error) {
	if _, err := e.Loss(ctx, b); err != nil {
		return nil, err
	}
	for r := range b.Rows {
		l, err := e.Loss(ctx, b.Part(r, 1))
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func (e *toy) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	if err := e.ready(ctx, true, true); err != nil {
		return engine.Loss{}, err
	}
	return e.run(b, e.grads, scale)
}

func (e *toy) run(b engine.Batch, grads []float32, scale float32) (l engine.Loss, err error) {
	n := b.Rows * b.Cols
	if b.Rows < 1 || b.Cols < 1 || b.Cols > e.model.MaxPositions || len(b.Inputs) != n || len(b.Targets) != n {
		return l, fmt.Errorf("batch of %d x %d", b.Rows, b.Cols)
	}
	known := func(id int32) bool { return id >= 0 && int(id) < e.model.VocabSize }
	for k, in := range b.Inputs {
		if to := b.Targets[k]; !known(in) || (!known(to) && to != engine.Ignore) {
			return l, fmt.Errorf("tokens %d, %d", in, to)
		}
	}
	for k, in := range b.Inputs {
		to := b.Targets[k]
		if to == engine.Ignore {
			continue
		}
		l.Tokens++
		sum, slope := 0.0, scale*2/float32(len(e.params))
		for i, p := range e.params {
			away := p - float32((i+int(in)*3+int(to))&7)/8
			sum += float64(away) * float64(away)
			if grads != nil {
				grads[i] += slope * away
			}
		}
		l.Sum += sum / float64(len(e.params))
	}
	return l, nil
}

func (e *toy) Gradient(ctx context.Context) ([]float32, error) {
	err := e.ready(ctx, false, false)
	return slices.Clone(e.grads), err
}

func (e *toy) ClearGradient(ctx context.Context) error {
	if err := e.ready(ctx, false, true); err != nil {
		return err
	}
	clear(e.grads)
	return nil
}

func (e *toy) Step(ctx context.Context, o engine.AdamW) (norm float64, err error) {
	if err := e.ready(ctx, true, true); err != nil {
		return 0, err
	}
	if err := o.Validate(); err != nil {
		return 0, err
	}
	for _, g := range e.grads {
		norm += float64(g) * float64(g)
	}
	if norm = math.Sqrt(norm); math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, engine.ErrNotFinite
	}
	if e.moments.Steps++; e.moments.Tensors == nil {
		first, second := make([]float32, len(e.params)), make([]float32, len(e.params))
		e.moments.Tensors = []engine.Tensor{{Name: engine.FirstMoment, Values: first}, {Name: engine.SecondMoment, Values: second}}
	}
	t, clip := float64(e.moments.Steps), float64(o.Clip(norm))
	first, second := e.moments.Tensors[0].Values, e.moments.Tensors[1].Values
	for i, g := range e.grads {
		grad := clip * float64(g)
		m, v := o.Beta1*float64(first[i])+(1-o.Beta1)*grad, o.Beta2*float64(second[i])+(1-o.Beta2)*grad*grad
		move := m / (1 - math.Pow(o.Beta1, t)) / (math.Sqrt(v/(1-math.Pow(o.Beta2, t))) + o.Eps)
		e.params[i] = float32(float64(e.params[i])*(1-o.LearningRate*o.WeightDecay) - o.LearningRate*move)
		first[i], second[i] = float32(m), float32(v)
	}
	return norm, nil
}

func (e *toy) Moments(ctx context.Context) (engine.Moments, error) {
	return e.moments, e.ready(ctx, false, false)
}

func (e *toy) Restore(ctx context.Context, m engine.Moments) error {
	if err := e.ready(ctx, false, false); err != nil {
		return err
	}
	if err := m.Check(e.layout.Size()); err != nil {
		return err
	}
	e.moments = m
	return nil
}

func (e *toy) Try(ctx context.Context, step engine.Step) (func(context.Context) error, error) {
	if err := e.ready(ctx, true, true); err != nil {
		return nil, err
	}
	before, delta := e.params, make([]float32, len(e.params))
	step(delta, 0)
	e.params, e.stands = slices.Clone(before), true
	for i, d := range delta {
		e.params[i] -= d
	}
	stands := true
	return func(context.Context) error {
		if stands {
			e.params, e.stands, stands = before, false, false
		}
		return nil
	}, nil
}

// So does one with the plain Compressor.
func TestCompressing(t *testing.T) {
	enginetest.Run(t, func(m protocol.Model, _ int) (engine.Engine, error) {
		if err := m.Validate(); err != nil {
			return nil, err
		}
		return enginetest.Compressing(&toy{model: m, layout: m.Layout()}), nil
	})
}
