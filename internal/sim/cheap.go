package sim

import (
	"context"
	"math/rand/v2"

	"templar/internal/engine"
	"templar/internal/engine/host"
	"templar/internal/kernel/gemm"
	"templar/protocol"
)

// cheap is an engine for networks of many nodes: the loss of a batch is a quadratic around
// an optimum of its own, which lies near one that all batches share. So training helps,
// more on the batches that were trained on than on others, and an evaluation measures
// something; but a step costs a few additions a parameter.
//
// Products are rounded before they are added, so that every architecture gets the same
// bits.
type cheap struct {
	*host.State
	best []float32
}

var _ engine.Engine = (*cheap)(nil)

// newBest draws the optimum that the nodes of one run share.
func newBest(seed uint64, parameters int) []float32 {
	draw := rand.New(rand.NewPCG(seed, 0x6265_7374))
	best := make([]float32, parameters)
	for i := range best {
		best[i] = float32(draw.Float64() - 0.5)
	}
	return best
}

func newCheap(l protocol.Layout, best []float32) *cheap {
	return &cheap{host.New(l, gemm.Serial{}), best}
}

const (
	spread = 0.1 // of the batches' optima around the shared one
	floor  = 1.0 // of the loss, which must stay positive
)

// Loss is floor + the mean squared distance to the batch's optimum, for each token.
func (e *cheap) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	params, err := e.Loaded(ctx)
	if err != nil {
		return engine.Loss{}, err
	}
	return e.run(params, nil, b, 0), nil
}

// RowLosses takes each row for a batch.
func (e *cheap) RowLosses(ctx context.Context, b engine.Batch) ([]engine.Loss, error) {
	params, err := e.Loaded(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]engine.Loss, b.Rows)
	for r := range out {
		out[r] = e.run(params, nil, b.Part(r, 1), 0)
	}
	return out, nil
}

// Accumulate adds that loss's gradient.
func (e *cheap) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	params, grads, err := e.Accumulator(ctx)
	if err != nil {
		return engine.Loss{}, err
	}
	return e.run(params, grads, b, scale), nil
}

func (e *cheap) run(params, grads []float32, b engine.Batch, scale float32) engine.Loss {
	tokens := 0
	for _, t := range b.Targets {
		if t != engine.Ignore {
			tokens++
		}
	}
	noise := newNoise(b)
	slope := scale * 2 * float32(tokens) / float32(len(params))
	sum := 0.0
	for i, p := range params {
		away := p - e.best[i] - noise.next()
		square := float64(away) * float64(away)
		sum += square
		if grads != nil {
			step := float32(slope * away)
			grads[i] += step
		}
	}
	mean := floor + sum/float64(len(params))
	return engine.Loss{Sum: mean * float64(tokens), Tokens: tokens}
}

// noise is a stream of numbers in (-spread, spread) that depends on a batch's tokens
// alone.
type noise struct{ state uint64 }

func newNoise(b engine.Batch) noise {
	h := uint64(0xcbf29ce484222325) // FNV-1a
	for _, t := range b.Inputs {
		h = (h ^ uint64(uint32(t))) * 0x100000001b3
	}
	return noise{h | 1}
}

// next is a step of xorshift (Marsaglia 2003).
func (n *noise) next() float32 {
	n.state ^= n.state << 13
	n.state ^= n.state >> 7
	n.state ^= n.state << 17
	const half = 1 << 23
	return spread * float32(int32(n.state>>40)-half) / half
}

// hash64 mixes strings into a seed.
func hash64(seed uint64, words ...string) uint64 {
	h := seed ^ 0xcbf29ce484222325
	for _, w := range words {
		for i := range len(w) {
			h = (h ^ uint64(w[i])) * 0x100000001b3
		}
		h = (h ^ 0xff) * 0x100000001b3
	}
	return h
}
