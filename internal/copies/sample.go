package copies

import (
	"slices"

	"templar/codec"
	"templar/protocol"
)

// sample is one gradient's part of the sampled chunks.
type sample struct {
	chunks []chunk
	count  int // coefficients in all of them
}

// chunk is what a gradient says of one chunk.
type chunk struct {
	index []uint16
	value []float32
}

// samples takes the same chunks out of every gradient.
func samples(c *codec.Codec, uploads []Upload, seed protocol.Hash, p *protocol.Params) []sample {
	drawn := draw(c, seed, p)
	out := make([]sample, len(uploads))
	for i, u := range uploads {
		out[i] = take(c, u.Gradient, drawn)
	}
	return out
}

// draw picks the chunks to compare, numbered over all tensors, ascending.
func draw(c *codec.Codec, seed protocol.Hash, p *protocol.Params) []int {
	telling := telling(c.Layout(), p)
	var out []int
	for _, i := range protocol.NewDraw("copies", seed).Distinct(uint64(len(telling)), sampled) {
		out = append(out, telling[i])
	}
	slices.Sort(out)
	return out
}

// telling lists the chunks of which top-k keeps at most a quarter. Of smaller ones, as
// those of a norm's weights, everybody sends nearly all.
func telling(layout protocol.Layout, p *protocol.Params) (out []int) {
	n := 0
	for _, t := range layout {
		size := 1
		for _, d := range t.Shape {
			size *= codec.Side(d, p.TargetChunk)
		}
		for range t.Size() / size {
			if 4*p.TopK <= size {
				out = append(out, n)
			}
			n++
		}
	}
	return out
}

// take copies the drawn chunks, which ascend, out of a gradient.
func take(c *codec.Codec, g *codec.Gradient, drawn []int) sample {
	s := sample{chunks: make([]chunk, 0, len(drawn))}
	n := 0
	c.Each(g, func(ch codec.Chunk) {
		if len(s.chunks) < len(drawn) && drawn[len(s.chunks)] == n {
			s.chunks = append(s.chunks, chunk{slices.Clone(ch.Index), slices.Clone(ch.Value)})
			s.count += len(ch.Index)
		}
		n++
	})
	return s
}
