package codec

import (
	"math"
	"testing"

	"templar/protocol"
)

func TestNewRefuses(t *testing.T) {
	good := Spec{TargetChunk: 64, TopK: 32}
	for name, tc := range map[string]struct {
		layout protocol.Layout
		spec   Spec
	}{
		"no chunk":         {small(), Spec{TopK: 1}},
		"chunk too large":  {small(), Spec{TargetChunk: 257, TopK: 1}},
		"no top-k":         {small(), Spec{TargetChunk: 64}},
		"unknown scheme":   {small(), Spec{TargetChunk: 64, TopK: 1, Scheme: 9}},
		"three dimensions": {layoutOf([]int{2, 2, 2}), good},
		"no dimension":     {layoutOf([]int{}), good},
		"zero dimension":   {layoutOf([]int{0, 2}), good},
		"product overflow": {layoutOf([]int{math.MaxInt / 2, 4}), good},
		"gap":              {protocol.Layout{{Name: "a", Shape: []int{2}, Offset: 1}}, good},
		"no name":          {protocol.Layout{{Shape: []int{2}}}, good},
	} {
		if _, err := New(tc.layout, tc.spec); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestShapeTellsCodecsApart(t *testing.T) {
	seen := map[protocol.Hash]bool{}
	for _, l := range []protocol.Layout{small(), layoutOf([]int{4}), layoutOf([]int{2, 2})} {
		for _, s := range []Spec{{TargetChunk: 64, TopK: 32}, {TargetChunk: 32, TopK: 32}, {TargetChunk: 64, TopK: 8}} {
			h := newCodec(t, l, s).LayoutHash()
			if seen[h] {
				t.Errorf("%v of %d tensors shares its shape hash", s, len(l))
			}
			seen[h] = true
		}
	}
}

func TestChunksCoverEveryParameterOnce(t *testing.T) {
	c := newCodec(t, small(), Spec{TargetChunk: 16, TopK: 1})
	seen := make([]int, c.parameters())
	for i := range c.tensors {
		tensor := &c.tensors[i]
		for n := range tensor.chunks() {
			for r := range tensor.chunk.Rows {
				for j := range tensor.chunk.Cols {
					at := tensor.at(n) + r*tensor.cols + j
					seen[at]++
					if got := c.chunkOf(at); got != tensor.first+n {
						t.Fatalf("parameter %d is in chunk %d, not %d", at, tensor.first+n, got)
					}
				}
			}
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Fatalf("parameter %d is in %d chunks", i, n)
		}
	}
}

// Allocations must not grow with the number of chunks.
func TestChunkLoopsDoNotAllocate(t *testing.T) {
	count := func(rows int) [4]float64 {
		c := newCodec(t, layoutOf([]int{rows, 64}), Spec{TargetChunk: 64, TopK: 32})
		m := noise(1, c.parameters())
		g := compress(t, c, m)
		gs := []*Gradient{g, g, g}
		u := c.Aggregate(gs)
		return [4]float64{
			testing.AllocsPerRun(3, func() { compress(t, c, m) }),
			testing.AllocsPerRun(3, func() { c.Decode(g, m) }),
			testing.AllocsPerRun(3, func() { c.Aggregate(gs) }),
			testing.AllocsPerRun(3, func() { c.Apply(m, u, 1e-6, 0.1) }),
		}
	}
	few, many := count(64), count(64*40)
	for i := range few {
		if many[i] > few[i]+2 { // the runtime's own now and then
			t.Fatalf("allocations of compress, decode, aggregate, apply: %v for one chunk, %v for 40", few, many)
		}
	}
}
