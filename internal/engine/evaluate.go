package engine

import (
	"context"
	"fmt"
	"math"
)

// Signs says of each parameter whether a step takes it down (+1), up (-1) or leaves it
// as it is (0).
type Signs func(i int) int

// Trial is a step p <- p - size*sign, in place, that is taken back bit for bit. Adding
// the step again does so for nearly all parameters; the others, about one in a hundred
// of a trained model and those smaller than the step, are kept aside.
type Trial struct {
	params []float32
	size   float32
	signs  Signs
	kept   []kept
}

type kept struct {
	at    int
	value float32
}

// Try takes the step. Until Undo, params are those after it.
func Try(params []float32, size float32, signs Signs) *Trial {
	t := &Trial{params: params, size: size, signs: signs}
	for i, p := range params {
		if a := t.step(i); a != 0 {
			params[i] = p - a
			if math.Float32bits(params[i]+a) != math.Float32bits(p) {
				t.kept = append(t.kept, kept{i, p})
			}
		}
	}
	return t
}

func (t *Trial) step(i int) float32 {
	switch t.signs(i) {
	case 1:
		return t.size
	case -1:
		return -t.size
	}
	return 0
}

// Undo restores the parameters.
func (t *Trial) Undo() {
	for i := range t.params {
		if a := t.step(i); a != 0 {
			t.params[i] += a
		}
	}
	for _, k := range t.kept {
		t.params[k.at] = k.value
	}
	t.params, t.kept = nil, nil
}

// Kept is the number of parameters that had to be kept aside.
func (t *Trial) Kept() int { return len(t.kept) }

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

// Measure evaluates the step p - size*sign on the miner's own batches and on the common
// ones.
func (v *Evaluator) Measure(ctx context.Context, size float32, signs Signs, own []Batch) (o Outcome, err error) {
	if v.before.Tokens == 0 {
		if v.before, err = Losses(ctx, v.engine, v.params, v.common); err != nil {
			return Outcome{}, err
		}
	}
	o.CommonBefore = v.before
	if o.OwnBefore, err = Losses(ctx, v.engine, v.params, own); err != nil {
		return Outcome{}, err
	}
	defer Try(v.params, size, signs).Undo()
	if o.OwnAfter, err = Losses(ctx, v.engine, v.params, own); err != nil {
		return Outcome{}, err
	}
	o.CommonAfter, err = Losses(ctx, v.engine, v.params, v.common)
	return o, err
}
