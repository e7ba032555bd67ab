package engine

import (
	"context"
	"errors"
	"fmt"
)

// Losser computes losses with the parameters it holds.
type Losser interface {
	Loss(ctx context.Context, b Batch) (Loss, error)
}

// Losses adds up the losses of batches.
func Losses(ctx context.Context, e Losser, batches []Batch) (sum Loss, err error) {
	for i, b := range batches {
		l, err := e.Loss(ctx, b)
		if err != nil {
			return Loss{}, fmt.Errorf("batch %d: %w", i, err)
		}
		sum.Add(l)
	}
	return sum, nil
}

// Tester is what an Evaluator needs of an Engine.
type Tester interface {
	Losser
	Trials
}

// Evaluator measures what single steps from the same parameters do to the loss, as a
// validator does for each miner of a window. The loss before on the common batches is
// computed once. The parameters are as they were whenever Measure returns.
type Evaluator struct {
	engine Tester
	common []Batch
	before Loss // on common; no tokens until it is known
}

// NewEvaluator returns an Evaluator of steps from the parameters that are loaded.
func NewEvaluator(e Tester, common []Batch) *Evaluator {
	return &Evaluator{engine: e, common: common}
}

// Outcome is the losses before and after a step.
type Outcome struct {
	OwnBefore, OwnAfter       Loss
	CommonBefore, CommonAfter Loss
}

// Measure evaluates a step on the miner's own batches and on the common ones.
func (v *Evaluator) Measure(ctx context.Context, step Step, own []Batch) (o Outcome, err error) {
	if v.before.Tokens == 0 {
		if v.before, err = Losses(ctx, v.engine, v.common); err != nil {
			return Outcome{}, err
		}
	}
	o.CommonBefore = v.before
	if o.OwnBefore, err = Losses(ctx, v.engine, own); err != nil {
		return Outcome{}, err
	}
	undo, err := v.engine.Try(ctx, step)
	if err != nil {
		return Outcome{}, err
	}
	// The step is undone in any case, also when ctx has ended.
	defer func() { err = errors.Join(err, undo(context.WithoutCancel(ctx))) }()
	if o.OwnAfter, err = Losses(ctx, v.engine, own); err != nil {
		return Outcome{}, err
	}
	o.CommonAfter, err = Losses(ctx, v.engine, v.common)
	return o, err
}
