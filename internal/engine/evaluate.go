package engine

import (
	"context"
	"fmt"
)

// Step takes a step from parameters, in place, and returns what takes it back, bit for bit.
type Step func(params []float32) (undo func())

// Losses adds up the losses of batches.
func Losses(ctx context.Context, e Engine, params []float32, batches []Batch) (sum Loss, err error) {
	for i, b := range batches {
		l, err := e.Loss(ctx, params, b)
		if err != nil {
			return Loss{}, fmt.Errorf("batch %d: %w", i, err)
		}
		sum.Add(l)
	}
	return sum, nil
}

// Evaluator measures what single steps from the same parameters do to the loss, as a
// validator does for each miner of a window. The loss before on the common batches is
// computed once. It needs no second copy of the parameters; they are the caller's, as
// they were, whenever Measure returns.
type Evaluator struct {
	engine Engine
	params []float32
	common []Batch
	before Loss // on common; no tokens until it is known
}

// NewEvaluator returns an Evaluator of steps from params.
func NewEvaluator(e Engine, params []float32, common []Batch) *Evaluator {
	return &Evaluator{engine: e, params: params, common: common}
}

// Outcome is the losses before and after a step.
type Outcome struct {
	OwnBefore, OwnAfter       Loss
	CommonBefore, CommonAfter Loss
}

// Measure evaluates a step on the miner's own batches and on the common ones.
func (v *Evaluator) Measure(ctx context.Context, step Step, own []Batch) (o Outcome, err error) {
	if v.before.Tokens == 0 {
		if v.before, err = Losses(ctx, v.engine, v.params, v.common); err != nil {
			return Outcome{}, err
		}
	}
	o.CommonBefore = v.before
	if o.OwnBefore, err = Losses(ctx, v.engine, v.params, own); err != nil {
		return Outcome{}, err
	}
	defer step(v.params)()
	if o.OwnAfter, err = Losses(ctx, v.engine, v.params, own); err != nil {
		return Outcome{}, err
	}
	o.CommonAfter, err = Losses(ctx, v.engine, v.params, v.common)
	return o, err
}
