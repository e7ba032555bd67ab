package codec

import (
	"fmt"
	"testing"
)

// benchCodec has one matrix of 512 x 2048 in chunks of 64 x 64.
func benchCodec(b *testing.B, s Scheme) (*Codec, []float32) {
	c := newCodec(b, layoutOf([]int{512, 2048}), Spec{TargetChunk: 64, TopK: 32, Scheme: s})
	b.SetBytes(int64(4 * c.parameters()))
	return c, noise(1, c.parameters())
}

func BenchmarkCompress(b *testing.B) {
	for _, s := range schemes {
		b.Run(s.String(), func(b *testing.B) {
			c, m := benchCodec(b, s)
			var g *Gradient
			for b.Loop() {
				g = compress(b, c, m)
			}
			b.ReportMetric(float64(len(g.Bytes()))/float64(c.Chunks()), "bytes/chunk")
		})
	}
}

// One matrix that no cache holds, as codec/bench compares it.
func BenchmarkCompressLarge(b *testing.B) {
	c := newCodec(b, layoutOf([]int{2048, 8192}), Spec{TargetChunk: 64, TopK: 32})
	b.SetBytes(int64(4 * c.parameters()))
	m := noise(1, c.parameters())
	for b.Loop() {
		compress(b, c, m)
	}
}

func BenchmarkReadGradient(b *testing.B) {
	c, m := benchCodec(b, SchemeI8)
	body := compress(b, c, m).Bytes()
	for b.Loop() {
		c.ReadGradient(body)
	}
}

func BenchmarkDecode(b *testing.B) {
	c, m := benchCodec(b, SchemeI8)
	g := compress(b, c, m)
	for b.Loop() {
		c.Decode(g, m)
	}
}

func BenchmarkAggregate(b *testing.B) {
	for _, n := range []int{1, 15} {
		b.Run(fmt.Sprint("peers=", n), func(b *testing.B) {
			c, _ := benchCodec(b, SchemeI8)
			gs := peers(b, c, n)
			for b.Loop() {
				c.Aggregate(gs)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	c, m := benchCodec(b, SchemeI8)
	u := c.Aggregate(peers(b, c, 1))
	for b.Loop() {
		c.Apply(m, u, 1e-9, 0)
	}
}

func BenchmarkStateHash(b *testing.B) {
	c, m := benchCodec(b, SchemeI8)
	for b.Loop() {
		stateHash(c, m)
	}
}
