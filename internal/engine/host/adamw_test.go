package host_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/host"
	"templar/internal/kernel/gemm"
	"templar/protocol"
)

// pytorch is what PyTorch's AdamW did: testkit/engine/README.md.
type pytorch struct {
	Cases map[string]struct {
		Beta1, Beta2, Eps float64
		WeightDecay       float64 `json:"weight_decay"`
		MaxNorm           float64 `json:"max_norm"`
		Params            []float32
		Steps             []struct {
			LearningRate float64 `json:"learning_rate"`
			Gradient     []float32
			Norm         float64
			Params       []float32
			FirstMoment  []float32 `json:"first_moment"`
			SecondMoment []float32 `json:"second_moment"`
		}
	}
}

// The steps are PyTorch's, to the rounding of the two orders of operations.
func TestAdamWVectors(t *testing.T) {
	text, err := os.ReadFile("../../../testkit/engine/adamw.json")
	if err != nil {
		t.Fatal(err)
	}
	var v pytorch
	if err := json.Unmarshal(text, &v); err != nil || len(v.Cases) < 4 {
		t.Fatalf("%d cases, %v", len(v.Cases), err)
	}
	for name, c := range v.Cases {
		t.Run(name, func(t *testing.T) {
			ctx, p := t.Context(), c.Params
			s := host.New(protocol.Layout{{Name: "a", Shape: []int{len(p)}}}, gemm.Serial{})
			if err := s.Load(ctx, p); err != nil {
				t.Fatal(err)
			}
			var size sizes
			for i, step := range c.Steps {
				_, grads, err := s.Accumulator(ctx)
				if err != nil {
					t.Fatal(err)
				}
				copy(grads, step.Gradient)
				norm, err := s.Step(ctx, engine.AdamW{
					LearningRate: step.LearningRate, Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps,
					WeightDecay: c.WeightDecay, MaxNorm: c.MaxNorm,
				})
				if err != nil || math.Abs(norm-step.Norm) > 1e-6*step.Norm {
					t.Fatalf("step %d: norm %g, want %g, %v", i, norm, step.Norm, err)
				}
				m, err := s.Moments(ctx)
				if err != nil || m.Steps != uint64(i+1) {
					t.Fatalf("step %d: %d steps, %v", i, m.Steps, err)
				}
				size.grow(step.Gradient, step.FirstMoment, step.Params)
				near(t, i, "parameter", p, step.Params, size.params)
				near(t, i, "first moment", m.Tensors[0].Values, step.FirstMoment, size.first)
				near(t, i, "second moment", m.Tensors[1].Values, step.SecondMoment, nil)
			}
		})
	}
}

// sizes are the largest magnitudes of what was added up so far: a small sum of large values has
// their rounding.
type sizes struct{ first, params []float64 }

func (s *sizes) grow(gradient, first, params []float32) {
	if s.first == nil {
		s.first, s.params = make([]float64, len(first)), make([]float64, len(first))
	}
	for i := range first {
		s.first[i] = max(s.first[i], math.Abs(float64(gradient[i])), math.Abs(float64(first[i])))
		s.params[i] = max(s.params[i], math.Abs(float64(params[i])))
	}
}

// near allows a few units in the last place, of the size where it is given.
func near(t *testing.T, step int, what string, got, want []float32, size []float64) {
	t.Helper()
	for i, w := range want {
		of := math.Abs(float64(w))
		if size != nil {
			of = size[i]
		}
		if d := math.Abs(float64(got[i] - w)); d > 1e-6*of {
			t.Errorf("step %d: %s %d is %g, want %g", step, what, i, got[i], w)
		}
	}
}

// BenchmarkStep is one AdamW step, clipped, of as many parameters as a small model has.
func BenchmarkStep(b *testing.B) {
	const n = 1 << 24
	s := host.New(protocol.Layout{{Name: "a", Shape: []int{n}}}, gemm.Serial{})
	p := make([]float32, n)
	if err := s.Load(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	_, grads, err := s.Accumulator(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for i := range grads {
		grads[i] = float32(i%1000) / 1000
	}
	o := engine.AdamW{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, MaxNorm: 1}
	for b.Loop() {
		if _, err := s.Step(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mparameters/s")
}
