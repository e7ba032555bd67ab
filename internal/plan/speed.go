package plan

import (
	"fmt"
	"math/rand/v2"
	"time"

	"templar/internal/run"
	"templar/method"
	"templar/protocol"
)

// measured is the size of the model on which Measure measures: more than a processor's caches hold, and a fraction
// of a second of work.
const measured = 2 << 20

// FlopsPerToken is the work of training on one token: 6 for each parameter that multiplies (2 forward, 4
// backward), and causal attention (Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022, appendix B).
func FlopsPerToken(m protocol.Model, sequence int) float64 {
	embedding := float64(m.VocabSize) * float64(m.HiddenSize)
	products := float64(m.Layout().Size()) - embedding
	return 6*products + 6*float64(m.Layers)*float64(m.HiddenSize)*float64(sequence)
}

// Measure runs the method's steps on this machine with a small model of the same chunks, and returns their speeds and the sizes of
// what they give, of random values.
func Measure(p protocol.Params, methods method.Factories) (Speeds, error) {
	p.Model = small(p.Model)
	p.SequenceLength = min(p.SequenceLength, p.Model.MaxPositions)
	r, err := run.New(p, methods)
	if err != nil {
		return Speeds{}, fmt.Errorf("plan: %w", err)
	}
	if r.Method.Coder == nil {
		return Speeds{}, fmt.Errorf("plan: method %s has no coder to measure: give its speeds", r.Method.Name)
	}
	size := p.Model.Layout().Size()
	x, params := make([]float32, size), make([]float32, size)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range params {
		params[i] = float32(rng.NormFloat64()) * 0.02
	}
	var s Speeds
	payloads := make([]method.Payload, p.MaxTopKPeers) // all different: an update of sparse ones is as large as what they cover
	for i := range payloads {
		for j := range x {
			x[j] = float32(rng.NormFloat64()) * 1e-3
		}
		encode := func() error { payloads[i], err = r.Method.Encode(x); return err }
		if i == 0 {
			s.Compress, err = rate(size, encode)
		} else {
			err = encode()
		}
		if err != nil {
			return s, err
		}
	}
	s.PayloadBytes = float64(len(payloads[0].Bytes())) / float64(size)
	var update method.Update
	s.Reduce, _ = rate(size*len(payloads), func() error { update = r.Method.Reduce(payloads); return nil })
	s.UpdateBytes = float64(len(update.Bytes())) / float64(size)
	s.Apply, _ = rate(size, func() error { r.Method.Apply(params, update, r.Method.Rate(0)); return nil })
	s.Hash, _ = rate(size, func() error { r.Space.Hash(params); return nil })
	return s, nil
}

// rate is the best of some runs; the first one warms up.
func rate(n int, do func() error) (best float64, err error) {
	for range 3 {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		best = max(best, float64(n)/time.Since(began).Seconds())
	}
	return best, nil
}

// small keeps the shapes of a model's layers and takes fewer of them, so that a step takes a moment.
func small(m protocol.Model) protocol.Model {
	m.Layers = 1
	m.VocabSize = min(m.VocabSize, 4096)
	for m.Layout().Size() > measured && m.HiddenSize%2 == 0 && m.HiddenSize/2 >= 8*m.Heads && m.IntermediateSize%2 == 0 {
		m.HiddenSize, m.IntermediateSize = m.HiddenSize/2, m.IntermediateSize/2
	}
	for m.Layout().Size() < measured && m.Layers < 1<<12 {
		m.Layers *= 2
	}
	return m
}
