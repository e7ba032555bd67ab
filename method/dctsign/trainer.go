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
	device engine.Compressor // has the momentum, and compresses it; nil: the host does

	momentum  []float32 // with a device: what Save read
	iteration uint64    // payloads made so far

	// Of the window.
	step   uint64
	loss   engine.Loss
	chosen engine.Chosen   // by the device
	sent   *codec.Gradient // nil: none, or not to be subtracted
}

func newTrainer(s *signs, e engine.Engine) *trainer {
	t := &trainer{signs: s, engine: e, device: engine.CompressorOf(e)}
	if t.device == nil {
		t.momentum = make([]float32, s.codec.Layout().Size())
	}
	return t
}

// Begin clears the engine's gradient.
func (t *trainer) Begin(ctx context.Context, step uint64, params []float32) error {
	t.step, t.loss, t.sent = step, engine.Loss{}, nil
	if err := t.engine.Load(ctx, params); err != nil {
		return err
	}
	if t.device != nil {
		if err := t.device.Begin(ctx, t.how); err != nil {
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
	if t.device != nil {
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
	for i, g := range gradient {
		t.momentum[i] = decay*t.momentum[i] + rate*g
	}
	return t.codec.Compress(t.momentum)
}

// compressThere has the device choose the coefficients, and codes them.
func (t *trainer) compressThere(ctx context.Context, decay, rate float32) (_ *codec.Gradient, err error) {
	t.momentum = nil // what a save has read: the next is some time away
	if t.chosen, err = t.device.Compress(ctx, decay, rate); err != nil {
		return nil, err
	}
	return t.codec.Code(t.chosen.Index, t.chosen.Value)
}

// Stored subtracts from the momentum what was sent, as decoded (error feedback; Wang et al. 2023,
// CocktailSGD, and DeMo, Peng et al. 2024).
func (t *trainer) Stored(ctx context.Context) error {
	sent := t.sent
	if t.sent = nil; sent == nil {
		return nil
	}
	if t.device == nil {
		t.codec.Subtract(t.momentum, sent)
		return nil
	}
	if err := t.codec.Sent(sent, t.chosen.Index, t.chosen.Value); err != nil {
		return err
	}
	return t.device.Subtract(ctx, t.chosen.Value)
}

// Save returns the momentum and the number of iterations.
func (t *trainer) Save(ctx context.Context) ([]method.Tensor, error) {
	if t.device != nil {
		if t.momentum == nil {
			t.momentum = make([]float32, t.codec.Layout().Size())
		}
		if err := t.device.Buffer(ctx, t.momentum); err != nil {
			return nil, err
		}
	}
	return []method.Tensor{{Name: momentumName, Values: t.momentum}, {Name: iterationName, Scalar: t.iteration}}, nil
}

// Load replaces the momentum and the number of iterations.
func (t *trainer) Load(ctx context.Context, tensors []method.Tensor) error {
	v, s, err := method.Unpack(tensors, t.codec.Layout().Size(), []string{momentumName}, []string{iterationName})
	if err != nil {
		return err
	}
	momentum := v[momentumName]
	if t.device != nil {
		if err := t.device.SetBuffer(ctx, momentum); err != nil {
			return err
		}
		momentum = nil
	}
	t.momentum, t.iteration, t.sent = momentum, s[iterationName], nil
	return nil
}
