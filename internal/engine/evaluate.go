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
	each, err := eachLoss(ctx, e, batches)
	for _, l := range each {
		sum.Add(l)
	}
	return sum, err
}

func eachLoss(ctx context.Context, e Losser, batches []Batch) ([]Loss, error) {
	out := make([]Loss, len(batches))
	for i, b := range batches {
		var err error
		if out[i], err = e.Loss(ctx, b); err != nil {
			return nil, fmt.Errorf("batch %d: %w", i, err)
		}
	}
	return out, nil
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

// Outcome is the losses before and after a step: of each of the miner's own batches, of the
// common ones together, and, after the step only, of each of another miner's batches.
type Outcome struct {
	OwnBefore, OwnAfter       []Loss
	CommonBefore, CommonAfter Loss
	OtherAfter                []Loss
}

// Measure evaluates a step on the miner's own batches, on the common ones, and on those of
// another miner.
func (v *Evaluator) Measure(ctx context.Context, step Trial, own, other []Batch) (o Outcome, err error) {
	if v.before.Tokens == 0 {
		if v.before, err = Losses(ctx, v.engine, v.common); err != nil {
			return Outcome{}, err
		}
	}
	o.CommonBefore = v.before
	if o.OwnBefore, err = eachLoss(ctx, v.engine, own); err != nil {
		return Outcome{}, err
	}
	undo, err := step.Try(ctx, v.engine)
	if err != nil {
		return Outcome{}, err
	}
	// The step is undone in any case, also when ctx has ended.
	defer func() { err = errors.Join(err, undo(context.WithoutCancel(ctx))) }()
	if o.OwnAfter, err = eachLoss(ctx, v.engine, own); err != nil {
		return Outcome{}, err
	}
	if o.CommonAfter, err = Losses(ctx, v.engine, v.common); err != nil {
		return Outcome{}, err
	}
	o.OtherAfter, err = eachLoss(ctx, v.engine, other)
	return o, err
}
