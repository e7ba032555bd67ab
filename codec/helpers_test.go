package codec

import (
	"math/rand/v2"
	"testing"

	"templar/protocol"
	"templar/state"
)

// layoutOf names tensors a, b, c ... of the given shapes.
func layoutOf(shapes ...[]int) (l protocol.Layout) {
	for i, s := range shapes {
		l = append(l, protocol.Tensor{Name: string(rune('a' + i)), Shape: s, Offset: l.Size()})
	}
	return l
}

// small has full, odd and one-dimensional chunks and rows that begin within a byte.
func small() protocol.Layout {
	return layoutOf([]int{64, 128}, []int{43, 26}, []int{100}, []int{7, 13}, []int{1})
}

func newCodec(t testing.TB, l protocol.Layout, s Spec) *Codec {
	t.Helper()
	c, err := New(l, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compress(t testing.TB, c *Codec, m []float32) *Gradient {
	t.Helper()
	g, err := c.Compress(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// noise is bell-shaped, of standard deviation near 1e-4, and made of integers, so
// that it is the same on every architecture.
func noise(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	x := make([]float32, n)
	for i := range x {
		sum := -4 * 1 << 15
		for range 4 {
			sum += int(r.Uint32() >> 16)
		}
		x[i] = float32(sum) * 0x1p-28
	}
	return x
}

// gradient builds a Gradient from coefficients, chunk by chunk, uncompressed.
func gradient(t testing.TB, c *Codec, chunks []Chunk) *Gradient {
	t.Helper()
	g, err := c.Pack(chunks)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// stateHash is computed by the codec's workers.
func stateHash(c *Codec, params []float32) protocol.Hash {
	s, err := state.New(c.layout)
	if err != nil {
		panic(err)
	}
	return s.Parallel(c.pool.Workers, c.pool.Each).Hash(params)
}
