package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Each stage on a chunk of 64 x 64, reference beside fast, and one shape that has no
// assembly. Bytes are those of the parameters.
func stage(b *testing.B, name string, values int, f func()) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(4 * values))
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
	})
}

func BenchmarkForward(b *testing.B) {
	tr, s := NewTransform(64, 64), NewScratch(4096)
	x, work := noise(5, 4096), make([]float32, 4096)
	stage(b, "fast", 4096, func() { tr.Forward(work, Rows{X: x, Stride: 64}, Rows{}, s) })
	stage(b, "reference", 4096, func() { copy(work, x); tr.forwardGeneric(work, s) })
	odd := NewTransform(43, 64)
	stage(b, "43x64", odd.Size(), func() { odd.Forward(work, Rows{X: x, Stride: 64}, Rows{}, s) })
}

func BenchmarkInverse(b *testing.B) {
	tr, s := NewTransform(64, 64), NewScratch(4096)
	out, index := make([]float32, 4096), everyIndex(4096)
	rand.New(rand.NewPCG(7, 1)).Shuffle(len(index), func(i, j int) { index[i], index[j] = index[j], index[i] })
	for _, sent := range []int{32, 450} {
		value := noise(6, sent)
		stage(b, fmt.Sprintf("fast/coefficients=%d", sent), 4096, func() { tr.Inverse(out, index[:sent], value, s) })
	}
	stage(b, "reference", 4096, func() { clear(s.a); tr.inverseGeneric(out, s) })
}

// Many chunks in turn: a branch predictor learns a single one by heart.
func BenchmarkTopK(b *testing.B) {
	const chunks = 64
	x, at := noise(8, chunks*4096), 0
	next := func() []float32 {
		at = (at + 1) % chunks
		return x[at*4096:][:4096]
	}
	keys, found, index := make([]uint32, 4096), make([]uint16, 4096), make([]uint16, 0, 32)
	stage(b, "fast", 4096, func() { index, _ = TopK(index[:0], next(), 32, keys, found) })
	stage(b, "fast, k 64", 4096, func() { index, _ = TopK(index[:0], next(), 64, keys, found) })
	stage(b, "reference", 4096, func() { index, _ = topKGeneric(index[:0], next(), 32, keys) })
}

func BenchmarkStep(b *testing.B) {
	p, signs := noise(9, 1<<16), make([]byte, 1<<13)
	stage(b, "fast", len(p), func() { Step(p, signs, 0, 1, 1e-7) })
	stage(b, "reference", len(p), func() { stepGeneric(p, signs, 0, 1, 1e-7) })
}

func BenchmarkPackSigns(b *testing.B) {
	x, signs := noise(9, 1<<12), make([]byte, 1<<9)
	stage(b, "fast", len(x), func() { PackSigns(signs, 0, x) })
	stage(b, "chunk", len(x), func() { PackChunk(signs, 0, 64, x, 64) })
	stage(b, "reference", len(x), func() { packSignsGeneric(signs, 0, x) })
}

// What is done to the 32 coefficients of a chunk.
func BenchmarkCoefficients(b *testing.B) {
	const n = 32
	x, codes, index, coded := noise(10, n), make([]byte, n), make([]uint16, n), make([]byte, 48)
	for i := range coded {
		coded[i] = 0x55 // Rice parameter 5, short quotients
	}
	stage(b, "gaps/fast", 4096, func() { ReadGaps(index, coded, 5, 4, 0, 4096) })
	stage(b, "gaps/reference", 4096, func() { gapsGeneric(index, coded, 5, 4, 0, 4096) })
	stage(b, "quantise/fast", 4096, func() { Quantise(codes, x, 0.02) })
	stage(b, "quantise/reference", 4096, func() { quantisedGeneric(codes, x, 0.02) })
	stage(b, "dequantise/fast", 4096, func() { Dequantise(x, codes, 0.02) })
	stage(b, "dequantise/reference", 4096, func() { scaledGeneric(x, codes, 0.02) })
	stage(b, "divide/fast", 4096, func() { Divide(x, 1) })
}
