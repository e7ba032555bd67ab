package dctsign

import (
	"context"

	"templar/codec"
	"templar/internal/engine"
	"templar/method"
)

// The tensors of the private state.
const (
	momentumName  = "momentum"
	iterationName = "iteration"
)

// trainer is one miner's side.
type trainer struct {
	*signs
	engine engine.Engine

	momentum  *method.Buffer
	iteration uint64 // payloads made so far

	// Of the window.
	step uint64
	loss engine.Loss
	sent *codec.Gradient // nil: none, or not to be subtracted
}

func newTrainer(s *signs, e engine.Engine) *trainer {
	return &trainer{signs: s, engine: e, momentum: method.NewBuffer(e, s.codec.Layout().Size())}
}

// Begin clears the engine's gradient.
func (t *trainer) Begin(ctx context.Context, step uint64, params []float32) error {
	t.step, t.loss, t.sent = step, engine.Loss{}, nil
	if err := t.engine.Load(ctx, params); err != nil {
		return err
	}
	if d := t.momentum.Device; d != nil {
		if err := d.Begin(ctx, t.how); err != nil {
			return err
		}
	}
	return t.engine.ClearGradient(ctx)
}

// Batch adds the gradient of the batch's summed loss to the window's.
func (t *trainer) Batch(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	loss, err := t.engine.Accumulate(ctx, b, 1)
	if err == nil {
		t.loss.Add(loss)
	}
	return loss, err
}

// Payload is m <- decay*m + lr*g with g the gradient of the mean loss, and the top coefficients of
// m. In the very first iteration m = lr*g, which a momentum of zeros gives.
func (t *trainer) Payload(ctx context.Context) ([]byte, error) {
	if t.loss.Tokens == 0 {
		return nil, method.ErrNothingTrained
	}
	decay, rate := float32(t.params.MomentumDecay), float32(t.params.RateAt(t.step)/float64(t.loss.Tokens))
	compress := t.compress
	if t.momentum.Device != nil {
		compress = t.compressThere
	}
	body, err := compress(ctx, decay, rate)
	if err != nil {
		return nil, err
	}
	if t.iteration >= uint64(t.params.MomentumWarmup) {
		t.sent = body
	}
	t.iteration++
	return body.Bytes(), nil
}

// compress does it on the host.
func (t *trainer) compress(ctx context.Context, decay, rate float32) (*codec.Gradient, error) {
	gradient, err := t.engine.Gradient(ctx)
	if err != nil {
		return nil, err
	}
	m := t.momentum.Values
	for i, g := range gradient {
		m[i] = decay*m[i] + rate*g
	}
	return t.codec.Compress(m)
}

// compressThere has the device choose the coefficients, and codes them.
func (t *trainer) compressThere(ctx context.Context, decay, rate float32) (*codec.Gradient, error) {
	c, err := t.momentum.Compress(ctx, decay, rate)
	if err != nil {
		return nil, err
	}
	return t.codec.Code(c.Index, c.Value)
}

// Stored subtracts from the momentum what was sent, as decoded (error feedback; Wang et al. 2023,
// CocktailSGD, and DeMo, Peng et al. 2024).
func (t *trainer) Stored(ctx context.Context) error {
	sent := t.sent
	if t.sent = nil; sent == nil {
		return nil
	}
	if t.momentum.Device == nil {
		t.codec.Subtract(t.momentum.Values, sent)
		return nil
	}
	return t.momentum.Subtract(ctx, func(index []uint16, dst []float32) error { return t.codec.Sent(sent, index, dst) })
}

// Save returns the momentum and the number of iterations.
func (t *trainer) Save(ctx context.Context) ([]method.Tensor, error) {
	m, err := t.momentum.Save(ctx)
	if err != nil {
		return nil, err
	}
	return []method.Tensor{{Name: momentumName, Values: m}, {Name: iterationName, Scalar: t.iteration}}, nil
}

// Load replaces the momentum and the number of iterations.
func (t *trainer) Load(ctx context.Context, tensors []method.Tensor) error {
	v, s, err := method.Unpack(tensors, t.codec.Layout().Size(), []string{momentumName}, []string{iterationName})
	if err != nil {
		return err
	}
	t.iteration, t.sent = s[iterationName], nil
	return t.momentum.Load(ctx, v[momentumName])
}
