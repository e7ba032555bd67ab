package model

import (
	"encoding/binary"
	"runtime"

	"templar/internal/clock"
	"templar/protocol"
)

// drawBlock is the number of a tensor's values that are drawn from one stream, so that blocks
// can be drawn in any order and at the same time (spec/theta0, "Streams").
const drawBlock = 4096

// Init draws theta_0: norms are one, everything else is normal with the model's InitStd. The
// same seed gives the same bits on every machine (spec/theta0). It uses all cores that Go may.
func Init(m protocol.Model, seed uint64) []float32 {
	layout := m.Layout()
	params := make([]float32, layout.Size())
	var draws []func()
	for _, t := range layout {
		p := params[t.Offset:][:t.Size()]
		if len(t.Shape) == 1 {
			for i := range p {
				p[i] = 1
			}
			continue
		}
		for first := 0; first < len(p); first += drawBlock {
			block := p[first:min(first+drawBlock, len(p))]
			draws = append(draws, func() { draw(block, t.Name, seed, first/drawBlock, m.InitStd) })
		}
	}
	clock.Wall{}.Each(len(draws), runtime.GOMAXPROCS(0), func(i int) { draws[i]() })
	return params
}

// draw fills a block of a tensor, or its beginning.
func draw(dst []float32, tensor string, seed uint64, block int, std float64) {
	var hash protocol.Hash
	binary.LittleEndian.PutUint64(hash[:], seed)
	words := protocol.NewDraw("theta_0 "+tensor, hash, uint64(block))
	for i := range dst {
		dst[i] = float32(normal(words.Uint64()) * std)
	}
}
