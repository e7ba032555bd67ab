package codec

import (
	"math"
	"math/rand/v2"
	"testing"

	"templar/protocol"
)

func TestTryIsTakenBackBitForBit(t *testing.T) {
	layout := protocol.Layout{{Name: "a", Shape: []int{64, 96}}, {Name: "b", Shape: []int{33}, Offset: 64 * 96}}
	c, err := New(layout, Spec{TargetChunk: 32, TopK: 8})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	momentum := make([]float32, layout.Size())
	for i := range momentum {
		if i >= 32*96 || i%96 < 32 { // leaves chunks to which nobody sends anything
			momentum[i] = float32(rng.NormFloat64())
		}
	}
	g, err := c.Compress(momentum)
	if err != nil {
		t.Fatal(err)
	}
	u := c.Aggregate([]*Gradient{g})
	for name, draw := range map[string]func() float32{
		"trained":  func() float32 { return float32(rng.NormFloat64() * 0.02) },
		"norms":    func() float32 { return float32(1 + rng.NormFloat64()*0.1) },
		"tiny":     func() float32 { return float32(rng.NormFloat64() * 1e-12) },
		"any bits": func() float32 { return math.Float32frombits(rng.Uint32()) },
	} {
		const size = 8e-5
		p, before := make([]float32, layout.Size()), make([]uint32, layout.Size())
		for i := range p {
			p[i] = draw()
			before[i] = math.Float32bits(p[i])
		}
		undo := c.Try(p, u, size)
		moved := 0
		for i, v := range p {
			sign := c.Sign(u, i)
			if want := math.Float32frombits(before[i]) - size*float32(sign); v != want && v == v {
				t.Fatalf("%s: parameter %d became %v, want %v", name, i, v, want)
			}
			if sign != 0 {
				moved++
			}
		}
		if moved == 0 || moved == len(p) {
			t.Fatalf("%d of %d parameters move: the case shows too little", moved, len(p))
		}
		undo()
		for i, v := range p {
			if math.Float32bits(v) != before[i] {
				t.Fatalf("%s: parameter %d is %x, was %x", name, i, math.Float32bits(v), before[i])
			}
		}
	}
}

func BenchmarkTry(b *testing.B) {
	layout := protocol.Layout{{Name: "a", Shape: []int{1024, 1024}}}
	c, err := New(layout, Spec{TargetChunk: 64, TopK: 32})
	if err != nil {
		b.Fatal(err)
	}
	p := make([]float32, layout.Size())
	for i := range p {
		p[i] = float32(i%1000) / 1000
	}
	g, err := c.Compress(p)
	if err != nil {
		b.Fatal(err)
	}
	u := c.Aggregate([]*Gradient{g})
	b.SetBytes(int64(4 * len(p)))
	for b.Loop() {
		c.Try(p, u, 1e-4)()
	}
}
