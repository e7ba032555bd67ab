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

	momentum  []float32
	iteration uint64 // payloads made so far

	// Of the window.
	step uint64
	loss engine.Loss
	sent *codec.Gradient // nil: none, or not to be subtracted
}

func newTrainer(s *signs, e engine.Engine) *trainer {
	return &trainer{signs: s, engine: e, momentum: make([]float32, s.codec.Layout().Size())}
}

// Begin clears the engine's gradient.
func (t *trainer) Begin(ctx context.Context, step uint64, params []float32) error {
	t.step, t.loss, t.sent = step, engine.Loss{}, nil
	if err := t.engine.Load(ctx, params); err != nil {
		return err
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
	gradient, err := t.engine.Gradient(ctx)
	if err != nil {
		return nil, err
	}
	decay, rate := float32(t.params.MomentumDecay), float32(t.params.RateAt(t.step)/float64(t.loss.Tokens))
	for i, g := range gradient {
		t.momentum[i] = decay*t.momentum[i] + rate*g
	}
	body, err := t.codec.Compress(t.momentum)
	if err != nil {
		return nil, err
	}
	if t.iteration >= uint64(t.params.MomentumWarmup) {
		t.sent = body
	}
	t.iteration++
	return body.Bytes(), nil
}

// Stored subtracts from the momentum what was sent, as decoded (error feedback; Wang et al. 2023,
// CocktailSGD, and DeMo, Peng et al. 2024).
func (t *trainer) Stored(context.Context) error {
	if t.sent != nil {
		t.codec.Subtract(t.momentum, t.sent)
		t.sent = nil
	}
	return nil
}

// Save returns the momentum and the number of iterations.
func (t *trainer) Save(context.Context) ([]method.Tensor, error) {
	return []method.Tensor{{Name: momentumName, Values: t.momentum}, {Name: iterationName, Scalar: t.iteration}}, nil
}

// Load replaces the momentum and the number of iterations.
func (t *trainer) Load(_ context.Context, tensors []method.Tensor) error {
	v, s, err := method.Unpack(tensors, len(t.momentum), []string{momentumName}, []string{iterationName})
	if err != nil {
		return err
	}
	t.momentum, t.iteration, t.sent = v[momentumName], s[iterationName], nil
	return nil
}
