package xla_test

import (
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/xla"
	"templar/internal/model"
	"templar/protocol"
)

// BenchmarkCompress chooses of 19 million values, with the cosine transform and without: what BenchmarkCompressLarge of
// package codec does on the host.
func BenchmarkCompress(b *testing.B) {
	m := wide()
	for name, how := range map[string]engine.Compression{"values": {}, "coefficients": {Cosine: true}} {
		b.Run(name, func(b *testing.B) {
			d := device(b)
			e, err := d.New(m, xla.Settings{})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			for _, t := range m.Layout() {
				k := engine.Chunking{Rows: 1, Cols: 64, Keep: 32}
				if len(t.Shape) == 2 {
					k.Rows = 64
				}
				how.Chunks = append(how.Chunks, k)
			}
			if err := e.SetBuffer(b.Context(), model.Init(m, 1)); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(4 * int64(m.Layout().Size()))
			for b.Loop() {
				if err := e.Begin(b.Context(), how); err != nil {
					b.Fatal(err)
				}
				if _, err := e.Compress(b.Context(), 1, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func wide() protocol.Model {
	return protocol.Model{
		VocabSize: 16384, HiddenSize: 512, Layers: 1, Heads: 8, KVHeads: 8, IntermediateSize: 512,
		MaxPositions: 64, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
	}
}
