package codec

import (
	"math/rand/v2"
	"testing"

	"templar/protocol"
)

// Any range of the deltas is that of Sign, also across chunks and tensors.
func TestDeltas(t *testing.T) {
	layout := protocol.Layout{{Name: "a", Shape: []int{64, 96}}, {Name: "b", Shape: []int{33}, Offset: 64 * 96}}
	c, err := New(layout, Spec{TargetChunk: 32, TopK: 8})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	momentum := make([]float32, layout.Size())
	for i := range momentum {
		if i >= 32*96 || i%96 < 32 { // leaves chunks for which no peer sends a coefficient
			momentum[i] = float32(rng.NormFloat64())
		}
	}
	g, err := c.Compress(momentum)
	if err != nil {
		t.Fatal(err)
	}
	u := c.Aggregate([]*Gradient{g})
	const size = 8e-5
	counts := map[int]int{}
	for range 300 {
		at := rng.IntN(layout.Size())
		dst := make([]float32, rng.IntN(layout.Size()-at+1))
		for i := range dst {
			dst[i] = 7 // of an earlier call
		}
		c.Deltas(u, size)(dst, at)
		for i, d := range dst {
			sign := c.Sign(u, at+i)
			if d != size*float32(sign) {
				t.Fatalf("delta of parameter %d, from %d on, is %v, its sign %d", at+i, at, d, sign)
			}
			counts[sign]++
		}
	}
	if len(counts) != 3 {
		t.Fatalf("parameters by sign: %v: the case shows too little", counts)
	}
	none := []float32{1, 2}
	if c.Deltas(nil, size)(none, 5); none[0] != 0 || none[1] != 0 {
		t.Errorf("no update moves by %v", none)
	}
}

func BenchmarkDeltas(b *testing.B) {
	layout := protocol.Layout{{Name: "a", Shape: []int{1024, 1024}}}
	c, err := New(layout, Spec{TargetChunk: 64, TopK: 32})
	if err != nil {
		b.Fatal(err)
	}
	rng, p := rand.New(rand.NewPCG(1, 2)), make([]float32, layout.Size())
	for i := range p { // signs that no processor foresees
		p[i] = float32(rng.NormFloat64())
	}
	g, err := c.Compress(p)
	if err != nil {
		b.Fatal(err)
	}
	deltas := c.Deltas(c.Aggregate([]*Gradient{g}), 1e-4)
	b.SetBytes(int64(4 * len(p)))
	for b.Loop() {
		deltas(p, 0)
	}
}
