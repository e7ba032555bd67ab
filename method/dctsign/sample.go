package dctsign

import (
	"slices"

	"templar/codec"
	"templar/method"
	"templar/protocol"
)

// sampled is how many chunks are compared: 8192 coefficients with 32 a chunk, so that a
// share is known to half a percent.
const sampled = 256

// Sample takes the same chunks out of every payload.
func (s *signs) Sample(payloads []method.Payload, seed protocol.Hash) [][]method.Chunk {
	drawn := s.draw(seed)
	out := make([][]method.Chunk, len(payloads))
	for i, g := range gradients(payloads) {
		out[i] = s.take(g, drawn)
	}
	return out
}

// draw picks the chunks to compare, numbered over all tensors, ascending.
func (s *signs) draw(seed protocol.Hash) []int {
	candidates := s.comparable()
	var out []int
	for _, i := range protocol.NewDraw("copies", seed).Distinct(uint64(len(candidates)), sampled) {
		out = append(out, candidates[i])
	}
	slices.Sort(out)
	return out
}

// comparable lists the chunks of which top-k keeps at most a quarter. Of smaller ones, such as
// those of a norm's weights, every miner sends nearly all.
func (s *signs) comparable() (out []int) {
	n := 0
	for _, t := range s.codec.Layout() {
		size := 1
		for _, d := range t.Shape {
			size *= codec.Side(d, s.params.TargetChunk)
		}
		for range t.Size() / size {
			if 4*s.params.TopK <= size {
				out = append(out, n)
			}
			n++
		}
	}
	return out
}

// take copies the drawn chunks, which ascend, out of a payload.
func (s *signs) take(g *codec.Gradient, drawn []int) []method.Chunk {
	out := make([]method.Chunk, 0, len(drawn))
	n := 0
	s.codec.Each(g, func(c codec.Chunk) {
		if len(out) < len(drawn) && drawn[len(out)] == n {
			out = append(out, method.Chunk{Index: slices.Clone(c.Index), Value: slices.Clone(c.Value)})
		}
		n++
	})
	return out
}
