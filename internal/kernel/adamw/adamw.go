// Package adamw is the inner loop of the AdamW optimizer: one step for a range of parameters.
//
// The Go twin, generic, is the specification: float32, each operation rounded separately, in the
// order that is written. Assembly for AVX2 does whole vectors of eight and gives the same bits;
// the build tag noasm keeps to the twin.
package adamw

import "math"

// Step holds the factors of one step, the same for all parameters. In the terms of
// engine.AdamW, which defines the step, with t the number of steps:
type Step struct {
	Clip        float32 // factor of the gradient
	Decay       float32 // 1 - LearningRate*WeightDecay
	FirstDecay  float32 // Beta1
	First       float32 // 1 - Beta1
	SecondDecay float32 // Beta2
	Second      float32 // 1 - Beta2
	Size        float32 // LearningRate / (1 - Beta1^t)
	Correction  float32 // sqrt(1 - Beta2^t)
	Eps         float32
}

// lanes is the values of a vector.
const lanes = 8

// Do moves parameters p and moments m and v along gradient g. All have the length of p, or more.
func (s *Step) Do(p, m, v, g []float32) {
	m, v, g = m[:len(p)], v[:len(p)], g[:len(p)]
	n := 0
	if fast {
		n = len(p) / lanes
	}
	if n > 0 {
		stepVectors(&p[0], &m[0], &v[0], &g[0], n, s)
	}
	s.generic(p[n*lanes:], m[n*lanes:], v[n*lanes:], g[n*lanes:])
}

// generic is the specification of Do. The conversions keep a compiler from fusing a
// multiplication with the addition behind it.
func (s *Step) generic(p, m, v, g []float32) {
	m, v, g = m[:len(p)], v[:len(p)], g[:len(p)]
	for i := range p {
		grad := float32(s.Clip * g[i])
		first := float32(s.FirstDecay*m[i]) + float32(s.First*grad)
		second := float32(s.SecondDecay*v[i]) + float32(float32(s.Second*grad)*grad)
		root := float32(math.Sqrt(float64(second)))
		move := float32(s.Size*first) / (root/s.Correction + s.Eps)
		p[i] = float32(p[i]*s.Decay) - move
		m[i], v[i] = first, second
	}
}
