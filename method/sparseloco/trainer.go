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
	device engine.Compressor // has the error buffer, and compresses it; nil: the host does

	error []float32 // with a device: what Save read
	local []float32 // lent to the engine, which moves it; with a device there is none

	// Of the window.
	start  []float32 // lent by the miner
	step   uint64    // local step of the run
	taken  int
	chosen engine.Chosen         // by the device
	sent   *codec.SparseGradient // nil: none
}

func newTrainer(l *loco, e engine.Engine) *trainer {
	t := &trainer{loco: l, engine: e, device: engine.CompressorOf(e)}
	if t.device == nil {
		t.error, t.local = make([]float32, l.size), make([]float32, l.size)
	}
	return t
}

// Begin loads a copy of the parameters.
func (t *trainer) Begin(ctx context.Context, step uint64, params []float32) error {
	t.start, t.step, t.taken, t.sent = params, step*t.steps, 0, nil
	if t.device == nil {
		copy(t.local, params)
		return t.engine.Load(ctx, t.local)
	}
	if err := t.engine.Load(ctx, params); err != nil { // it copies them
		return err
	}
	return t.device.Begin(ctx, t.how)
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
	if t.device != nil {
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
	for i, p := range t.start {
		t.error[i] = decay*t.error[i] + (p - t.local[i])
	}
	t.start = nil
	return t.codec.Compress(t.error)
}

// compressThere has the device choose the values, and codes them.
func (t *trainer) compressThere(ctx context.Context, decay float32) (_ *codec.SparseGradient, err error) {
	t.error = nil // what a save has read: the next is some time away
	if t.chosen, err = t.device.Compress(ctx, decay, 1); err != nil {
		return nil, err
	}
	return t.codec.Code(t.chosen.Index, t.chosen.Value)
}

// Stored subtracts from the error buffer what was sent, as decoded.
func (t *trainer) Stored(ctx context.Context) error {
	sent := t.sent
	if t.sent = nil; sent == nil {
		return nil
	}
	if t.device == nil {
		t.codec.Subtract(t.error, sent)
		return nil
	}
	if err := t.codec.Sent(sent, t.chosen.Index, t.chosen.Value); err != nil {
		return err
	}
	return t.device.Subtract(ctx, t.chosen.Value)
}

// Save returns the error buffer, the moments and the number of AdamW steps.
func (t *trainer) Save(ctx context.Context) ([]method.Tensor, error) {
	if t.device != nil {
		if t.error == nil {
			t.error = make([]float32, t.size)
		}
		if err := t.device.Buffer(ctx, t.error); err != nil {
			return nil, err
		}
	}
	m, err := t.engine.Moments(ctx)
	if err != nil {
		return nil, err
	}
	out := []method.Tensor{{Name: errorName, Values: t.error}, {Name: stepsName, Scalar: m.Steps}}
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
	saved := v[errorName]
	if t.device != nil {
		if err := t.device.SetBuffer(ctx, saved); err != nil {
			return err
		}
		saved = nil
	}
	t.error, t.sent = saved, nil
	return nil
}
