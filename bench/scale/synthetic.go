//go:build linux

package main

import (
	"context"
	"runtime"

	"templar/internal/clock"
	"templar/internal/engine"
	"templar/internal/engine/host"
	"templar/internal/kernel/gemm"
	"templar/protocol"
)

// synthetic is an engine without a training step: a batch adds noise to the gradient. All else is the CPU engine's.
type synthetic struct {
	*host.State
	seed uint64
}

var _ engine.Engine = (*synthetic)(nil)

func newSynthetic(l protocol.Layout) *synthetic {
	return &synthetic{State: host.New(l, cores{})}
}

// Loss is the same for each token.
func (e *synthetic) Loss(_ context.Context, b engine.Batch) (engine.Loss, error) {
	return engine.Loss{Sum: float64(len(b.Targets)), Tokens: len(b.Targets)}, nil
}

// RowLosses is the same for each token.
func (e *synthetic) RowLosses(_ context.Context, b engine.Batch) ([]engine.Loss, error) {
	out := make([]engine.Loss, b.Rows)
	for i := range out {
		out[i] = engine.Loss{Sum: float64(b.Cols), Tokens: b.Cols}
	}
	return out, nil
}

// Accumulate adds noise.
func (e *synthetic) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	_, grads, err := e.Accumulator(ctx)
	if err != nil {
		return engine.Loss{}, err
	}
	e.seed++
	n := noise{grads, scale, e.seed}
	cores{}.Run((len(grads)+block-1)/block, 1, n)
	return e.Loss(ctx, b)
}

const block = 1 << 16

// noise adds numbers of a bell-like distribution, which depend on their place alone.
type noise struct {
	grads []float32
	scale float32
	seed  uint64
}

// Do adds to the blocks lo <= b < hi.
func (n noise) Do(_, lo, hi int) {
	for b := lo; b < hi; b++ {
		x := (n.seed<<32 ^ uint64(b)) | 1
		part := n.grads[b*block : min((b+1)*block, len(n.grads))]
		for i := range part {
			x ^= x << 13 // xorshift (Marsaglia 2003)
			x ^= x >> 7
			x ^= x << 17
			sum := int32(x&0xffff) + int32(x>>16&0xffff) + int32(x>>32&0xffff) + int32(x>>48) - 2*0xffff
			part[i] += n.scale * float32(sum) / (1 << 16)
		}
	}
}

// cores is a gemm.Runner of goroutines.
type cores struct{}

var _ gemm.Runner = cores{}

// Workers is the number of cores that Go may use.
func (cores) Workers() int { return runtime.GOMAXPROCS(0) }

// Run gives each worker a part of the items.
func (c cores) Run(n, _ int, t gemm.Task) {
	workers := min(c.Workers(), n)
	clock.Wall{}.Each(workers, workers, func(i int) { t.Do(i, i*n/workers, (i+1)*n/workers) })
}
