package sparseloco

import (
	"context"
	"fmt"

	"templar/codec"
	"templar/internal/engine"
	"templar/method"
)

// The tensors of the private state.
const (
	errorName  = "error"
	firstName  = engine.FirstMoment
	secondName = engine.SecondMoment
	stepsName  = "adamw.steps"
)

// trainer is one miner's side.
type trainer struct {
	*loco
	engine engine.Engine

	error *method.Buffer
	local []float32 // lent to the engine, which moves it; with a device there is none

	// Of the window.
	start []float32 // lent by the miner
	step  uint64    // local step of the run
	taken int
	sent  *codec.SparseGradient // nil: none
}

func newTrainer(l *loco, e engine.Engine) *trainer {
	t := &trainer{loco: l, engine: e, error: method.NewBuffer(e, l.size)}
	if t.error.Device == nil {
		t.local = make([]float32, l.size)
	}
	return t
}

// Begin loads a copy of the parameters.
func (t *trainer) Begin(ctx context.Context, step uint64, params []float32) error {
	t.start, t.step, t.taken, t.sent = params, step*t.steps, 0, nil
	if t.error.Device == nil {
		copy(t.local, params)
		return t.engine.Load(ctx, t.local)
	}
	if err := t.engine.Load(ctx, params); err != nil { // it copies them
		return err
	}
	return t.error.Device.Begin(ctx, t.how)
}

// Batch takes one local step along the gradient of the batch's mean loss.
func (t *trainer) Batch(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	if err := t.engine.ClearGradient(ctx); err != nil {
		return engine.Loss{}, err
	}
	counted := 0
	for _, id := range b.Targets {
		if id != engine.Ignore {
			counted++
		}
	}
	if counted == 0 {
		return engine.Loss{}, nil
	}
	loss, err := t.engine.Accumulate(ctx, b, 1/float32(counted))
	if err != nil {
		return loss, err
	}
	if _, err = t.engine.Step(ctx, t.params.adamW(t.step+uint64(t.taken))); err != nil {
		return loss, fmt.Errorf("local step %d: %w", t.taken, err)
	}
	t.taken++
	return loss, nil
}

// Payload is e <- error_decay*e + Delta, and the largest values of e.
func (t *trainer) Payload(ctx context.Context) ([]byte, error) {
	if t.taken == 0 {
		return nil, method.ErrNothingTrained
	}
	compress := t.compress
	if t.error.Device != nil {
		compress = t.compressThere
	}
	g, err := compress(ctx, float32(t.params.ErrorDecay))
	if err != nil {
		return nil, err
	}
	t.sent = g
	return g.Bytes(), nil
}

// compress does it on the host.
func (t *trainer) compress(ctx context.Context, decay float32) (*codec.SparseGradient, error) {
	if err := t.engine.Params(ctx, t.local); err != nil {
		return nil, err
	}
	e := t.error.Values
	for i, p := range t.start {
		e[i] = decay*e[i] + (p - t.local[i])
	}
	t.start = nil
	return t.codec.Compress(e)
}

// compressThere has the device choose the values, and codes them.
func (t *trainer) compressThere(ctx context.Context, decay float32) (*codec.SparseGradient, error) {
	c, err := t.error.Compress(ctx, decay, 1)
	if err != nil {
		return nil, err
	}
	return t.codec.Code(c.Index, c.Value)
}

// Stored subtracts from the error buffer what was sent, as decoded.
func (t *trainer) Stored(ctx context.Context) error {
	sent := t.sent
	if t.sent = nil; sent == nil {
		return nil
	}
	if t.error.Device == nil {
		t.codec.Subtract(t.error.Values, sent)
		return nil
	}
	return t.error.Subtract(ctx, func(index []uint16, dst []float32) error { return t.codec.Sent(sent, index, dst) })
}

// Save returns the error buffer, the moments and the number of AdamW steps.
func (t *trainer) Save(ctx context.Context) ([]method.Tensor, error) {
	e, err := t.error.Save(ctx)
	if err != nil {
		return nil, err
	}
	m, err := t.engine.Moments(ctx)
	if err != nil {
		return nil, err
	}
	out := []method.Tensor{{Name: errorName, Values: e}, {Name: stepsName, Scalar: m.Steps}}
	for _, v := range m.Tensors {
		out = append(out, method.Tensor{Name: v.Name, Values: v.Values, Volatile: true})
	}
	return out, nil
}

// Load takes them. Before the first step there are no moments.
func (t *trainer) Load(ctx context.Context, tensors []method.Tensor) error {
	vectors := []string{errorName}
	for _, v := range tensors {
		if v.Name == firstName || v.Name == secondName {
			vectors = append(vectors, v.Name)
		}
	}
	v, s, err := method.Unpack(tensors, t.size, vectors, []string{stepsName})
	if err != nil {
		return err
	}
	m := engine.Moments{Steps: s[stepsName]}
	if m.Steps > 0 || len(vectors) > 1 {
		m.Tensors = []engine.Tensor{{Name: firstName, Values: v[firstName]}, {Name: secondName, Values: v[secondName]}}
	}
	if err := m.Check(t.size); err != nil {
		return fmt.Errorf("private state: %w", err)
	}
	if err := t.engine.Restore(ctx, m); err != nil {
		return err
	}
	t.sent = nil
	return t.error.Load(ctx, v[errorName])
}
