package cpu

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"templar/internal/engine"
	"templar/internal/engine/host"
	"templar/internal/workers"
	"templar/protocol"
)

// Options tune an Engine.
type Options struct {
	// Threads that compute, the caller's among them; 0 means one for each core that
	// Go may use.
	Threads int
	// BLAS multiplies matrices: Builtin, also when empty, OpenBLAS or Auto.
	BLAS string
	// Memory bounds what a step needs beside parameters, gradient and moments, in bytes: see
	// Plan. 0 means no bound.
	Memory int64
}

// Engine is an engine.Engine on the processor. It is not for concurrent use.
type Engine struct {
	*host.State
	model protocol.Model
	index index
	pool  *pool
	mul   multiplier
	blas  string
	act   buffers
	ops   ops

	busy   atomic.Int64 // nanoseconds of calls
	memory int64
	losses []float64 // of each target of a batch
}

var _ engine.Engine = (*Engine)(nil)

// ops has a place for each kind of task, so that starting one allocates nothing.
type ops struct {
	embed         embed
	embedBackward embedBackward
	norm          norm
	normBackward  normBackward
	rope          rope
	attend        attend
	attendBack    attendBackward
	swiglu        swiglu
	swigluBack    swigluBackward
	entropy       entropy
}

// New returns an Engine for a model. Close it to end its threads.
func New(model protocol.Model, o Options) (*Engine, error) {
	if err := model.Validate(); err != nil {
		return nil, fmt.Errorf("cpu engine: %w", err)
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu engine: %d threads", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = workers.Cores()
	}
	layout := model.Layout()
	e := &Engine{model: model, memory: o.Memory}
	var err error
	if e.index, err = newIndex(layout, model); err != nil {
		return nil, fmt.Errorf("cpu engine: %w", err)
	}
	e.pool = newPool(o.Threads)
	e.State = host.New(layout, e.pool)
	if e.mul, e.blas, err = newMultiplier(o.BLAS, e.pool); err != nil {
		e.pool.close()
		return nil, fmt.Errorf("cpu engine: %w", err)
	}
	return e, nil
}

// BLAS says what multiplies matrices.
func (e *Engine) BLAS() string { return e.blas }

// Close undoes a trial step that stands, ends the threads and frees the buffers.
func (e *Engine) Close() error {
	err := e.State.Close()
	e.pool.close()
	e.act, e.mul, e.losses = buffers{}, nil, nil
	return err
}

// Loss runs the model forward.
func (e *Engine) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	defer e.end(e.begin())
	params, err := e.Loaded(ctx)
	if err != nil {
		return engine.Loss{}, err
	}
	if err := e.check(b); err != nil {
		return engine.Loss{}, err
	}
	plan, err := e.plan(b, false)
	if err != nil {
		return engine.Loss{}, err
	}
	return e.inParts(b, plan, func(part engine.Batch, losses []float64) error {
		e.reserve(part.Rows, part.Cols, false, false)
		if err := e.forward(ctx, params, part.Inputs); err != nil {
			return err
		}
		return e.head(ctx, params, nil, part.Targets, losses, 0)
	})
}

// Accumulate adds scale times the gradient of the summed loss to the gradient. When it
// returns an error, a part of it may have been added.
func (e *Engine) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	defer e.end(e.begin())
	params, grads, err := e.Accumulator(ctx)
	if err != nil {
		return engine.Loss{}, err
	}
	if err := e.check(b); err != nil {
		return engine.Loss{}, err
	}
	plan, err := e.plan(b, true)
	if err != nil {
		return engine.Loss{}, err
	}
	return e.inParts(b, plan, func(part engine.Batch, losses []float64) error {
		e.reserve(part.Rows, part.Cols, true, plan.Recompute)
		if err := e.forward(ctx, params, part.Inputs); err != nil {
			return err
		}
		if err := e.head(ctx, params, grads, part.Targets, losses, scale); err != nil {
			return err
		}
		return e.backward(ctx, params, grads, part.Inputs)
	})
}

// inParts calls f with parts of a batch, in order, and a place for their losses.
func (e *Engine) inParts(b engine.Batch, p Plan, f func(part engine.Batch, losses []float64) error) (engine.Loss, error) {
	if n := len(b.Targets); n > len(e.losses) {
		e.losses = make([]float64, n)
	}
	for row := 0; row < b.Rows; row += p.Rows {
		part := b.Part(row, min(p.Rows, b.Rows-row))
		if err := f(part, e.losses[row*b.Cols:][:len(part.Targets)]); err != nil {
			return engine.Loss{}, err
		}
	}
	return total(e.losses[:len(b.Targets)], b.Targets), nil
}

// Logits runs the model on one sequence and returns the scores of the token that
// follows it, one for each of the vocabulary.
func (e *Engine) Logits(ctx context.Context, tokens []int32) ([]float32, error) {
	params, err := e.Loaded(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.check(engine.Batch{Rows: 1, Cols: len(tokens), Inputs: tokens, Targets: tokens}); err != nil {
		return nil, err
	}
	e.reserve(1, len(tokens), false, false)
	if err := e.forward(ctx, params, tokens); err != nil {
		return nil, err
	}
	h, last := e.model.HiddenSize, len(tokens)-1
	e.ops.norm = norm{y: e.act.normed, x: e.act.top[last*h:], w: params[e.index.norm:], rstd: e.act.rstd, width: h, eps: e.model.NormEps}
	e.pool.Run(1, 1, &e.ops.norm)
	logits := make([]float32, e.model.VocabSize)
	e.linear(logits, e.act.normed, params[e.index.head:], 1, e.model.VocabSize, h, false)
	return logits, nil
}

// check refuses what would index out of a buffer.
func (e *Engine) check(b engine.Batch) error {
	if b.Rows < 1 || b.Cols < 1 || b.Rows > math.MaxInt32/b.Cols {
		return fmt.Errorf("batch of %d x %d tokens", b.Rows, b.Cols)
	}
	if n := b.Rows * b.Cols; len(b.Inputs) != n || len(b.Targets) != n {
		return fmt.Errorf("batch of %d x %d tokens has %d inputs and %d targets", b.Rows, b.Cols, len(b.Inputs), len(b.Targets))
	}
	if b.Cols > e.model.MaxPositions {
		return fmt.Errorf("sequence of %d tokens is over max_position_embeddings %d", b.Cols, e.model.MaxPositions)
	}
	for i, id := range b.Inputs {
		if id < 0 || int(id) >= e.model.VocabSize {
			return fmt.Errorf("input %d is token %d: the vocabulary has %d", i, id, e.model.VocabSize)
		}
		if t := b.Targets[i]; t != engine.Ignore && (t < 0 || int(t) >= e.model.VocabSize) {
			return fmt.Errorf("target %d is token %d: the vocabulary has %d", i, t, e.model.VocabSize)
		}
	}
	return nil
}
