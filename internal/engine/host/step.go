package host

import (
	"context"
	"math"

	"templar/internal/engine"
	"templar/internal/kernel/adamw"
	"templar/internal/kernel/nn"
)

// block is how many parameters a worker takes at once: their rows fit in a core's cache.
const block = 1 << 13

func blocks(n int) int { return (n + block - 1) / block }

// Step moves parameters and moments in place.
func (s *State) Step(ctx context.Context, o engine.AdamW) (norm float64, err error) {
	if err := o.Validate(); err != nil {
		return 0, err
	}
	params, grads, err := s.Accumulator(ctx)
	if err != nil {
		return 0, err
	}
	if norm = s.norm(grads); math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, engine.ErrNotFinite
	}
	if s.first == nil {
		s.first, s.second = make([]float32, len(params)), make([]float32, len(params))
	}
	s.steps++
	s.move = move{state: s, step: Factors(o, norm, s.steps)}
	s.runner.Run(blocks(len(params)), 1, &s.move)
	return norm, nil
}

// Factors are those of step number t. Powers and products are rounded one by one, so that
// every architecture gets the same.
func Factors(o engine.AdamW, norm float64, t uint64) adamw.Step {
	return adamw.Step{
		Clip:        o.Clip(norm),
		Decay:       float32(1 - float64(o.LearningRate*o.WeightDecay)),
		FirstDecay:  float32(o.Beta1),
		First:       float32(1 - o.Beta1),
		SecondDecay: float32(o.Beta2),
		Second:      float32(1 - o.Beta2),
		Size:        float32(o.LearningRate / (1 - power(o.Beta1, t))),
		Correction:  float32(math.Sqrt(1 - power(o.Beta2, t))),
		Eps:         float32(o.Eps),
	}
}

// power is x^n by repeated squaring.
func power(x float64, n uint64) float64 {
	out := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out = float64(out * x)
		}
		x = float64(x * x)
	}
	return out
}

// move steps each parameter of a range of blocks.
type move struct {
	state *State
	step  adamw.Step
}

// Do moves the blocks lo <= b < hi.
func (m *move) Do(_, lo, hi int) {
	s := m.state
	lo, hi = lo*block, min(hi*block, len(s.params))
	m.step.Do(s.params[lo:hi], s.first[lo:hi], s.second[lo:hi], s.grads[lo:hi])
}

// norm is the L2 norm of x, summed in float64 block by block.
func (s *State) norm(x []float32) float64 {
	q := &s.squares
	q.x = x
	if len(q.sums) != blocks(len(x)) {
		q.sums = make([]float64, blocks(len(x)))
	}
	s.runner.Run(len(q.sums), 1, q)
	sum := 0.0
	for _, v := range q.sums {
		sum += v
	}
	return math.Sqrt(sum)
}

// squares sums those of each block.
type squares struct {
	x    []float32
	sums []float64
}

// Do sums the blocks lo <= b < hi.
func (q *squares) Do(_, lo, hi int) {
	for b := lo; b < hi; b++ {
		x := q.x[b*block : min((b+1)*block, len(q.x))]
		q.sums[b] = nn.Dot(x, x)
	}
}

// Moments are the State's own memory.
func (s *State) Moments(ctx context.Context) (engine.Moments, error) {
	if err := s.open(ctx); err != nil || s.steps == 0 {
		return engine.Moments{}, err
	}
	return engine.Moments{Steps: s.steps, Tensors: []engine.Tensor{
		{Name: engine.FirstMoment, Values: s.first}, {Name: engine.SecondMoment, Values: s.second},
	}}, nil
}

// Restore keeps the tensors of m: nothing is copied.
func (s *State) Restore(ctx context.Context, m engine.Moments) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := m.Check(s.layout.Size()); err != nil {
		return err
	}
	s.steps, s.first, s.second = m.Steps, nil, nil
	if m.Steps > 0 {
		s.first, s.second = m.Tensors[0].Values, m.Tensors[1].Values
	}
	return nil
}
