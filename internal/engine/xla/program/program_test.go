package program_test

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/xla/hlo"
	"templar/internal/engine/xla/program"
	"templar/protocol"
)

var update = flag.Bool("update", false, "write the golden programs")

// model has one layer of grouped heads.
func model() protocol.Model {
	return protocol.Model{
		VocabSize: 24, HiddenSize: 16, Layers: 1, Heads: 2, KVHeads: 1, IntermediateSize: 8,
		MaxPositions: 64, RopeTheta: 10000, NormEps: 1e-5, InitStd: 0.02,
	}
}

// The programs are those in testdata. A change there is read in review; run the tests of
// internal/engine/xla with a plug-in before it is committed, and go test -update here.
func TestGolden(t *testing.T) {
	m := model()
	l := m.Layout()
	for name, text := range map[string]string{
		"loss":             program.Loss(m, program.Shape{Rows: 1, Cols: 16, Kind: hlo.F32}),
		"gradient":         program.Gradient(m, program.Shape{Rows: 2, Cols: 16, Kind: hlo.F32}),
		"gradient_pieces":  program.Gradient(m, program.Shape{Rows: 2, Cols: 16, Kind: hlo.F32, HeadCols: 6, Recompute: true}),
		"gradient_fused":   program.Gradient(m, program.Shape{Rows: 2, Cols: 64, Kind: hlo.BF16, Fused: true}),
		"gradient_sharded": program.Gradient(m, program.Shape{Rows: 4, Cols: 64, Kind: hlo.BF16, Fused: true, Devices: 2}),
		"zeros":            program.Zeros(l, 1),
		"norm":             program.Norm(l, 1),
		"adamw":            program.AdamW(l, 1),
		"subtract":         program.Subtract(l, 2),
		"copy":             program.Copy(l, 1),
		"compress_steps":   program.Compress(program.Chunked{Shape: []int{16, 24}, Chunk: engine.Chunking{Rows: 8, Cols: 4, Keep: 3}}, true),
		"compress_cosine": program.Compress(program.Chunked{
			Shape: []int{16, 24}, Chunk: engine.Chunking{Rows: 8, Cols: 4, Keep: 3}, Cosine: true, Devices: 2,
		}, false),
		"trial": program.Trial(program.Chunked{Shape: []int{24}, Chunk: engine.Chunking{Rows: 1, Cols: 8, Keep: 2}}, false),
		"trial_signs": program.Trial(program.Chunked{
			Shape: []int{16, 24}, Chunk: engine.Chunking{Rows: 8, Cols: 4, Keep: 3}, Cosine: true,
		}, true),
		"remove":        program.Remove(program.Chunked{Shape: []int{24}, Chunk: engine.Chunking{Rows: 1, Cols: 8, Keep: 2}}),
		"remove_cosine": program.Remove(program.Chunked{Shape: []int{16, 24}, Chunk: engine.Chunking{Rows: 8, Cols: 4, Keep: 3}, Cosine: true}),
	} {
		path := filepath.Join("testdata", name+".mlir")
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			at := 0
			for at < min(len(text), len(want)) && text[at] == want[at] {
				at++
			}
			t.Errorf("%s: differs from line %d on", path, 1+strings.Count(text[:at], "\n"))
		}
	}
}

// Writing a program does not depend on the order of a map.
func TestSameText(t *testing.T) {
	s := program.Shape{Rows: 2, Cols: 64, Kind: hlo.BF16, Fused: true}
	first := program.Gradient(model(), s)
	for range 20 {
		if program.Gradient(model(), s) != first {
			t.Fatal("the same shape gives another text")
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		shape   []int
		devices int
		want    bool
	}{{[]int{8, 3}, 1, false}, {[]int{8, 3}, 4, true}, {[]int{9, 4}, 4, false}, {[]int{8}, 4, false}} {
		if got := program.Split(protocol.Tensor{Shape: c.shape}, c.devices); got != c.want {
			t.Errorf("%v on %d devices: %t", c.shape, c.devices, got)
		}
	}
}

// The head's logits stay within 512 MiB, and the pieces are multiples of 64 columns.
func TestPieces(t *testing.T) {
	m := model()
	m.VocabSize = 32000
	for _, s := range []program.Shape{{Rows: 1, Cols: 64}, {Rows: 8, Cols: 2048}, {Rows: 64, Cols: 4096}, {Rows: 64, Cols: 2048, Devices: 8}} {
		got := program.Pieces(m, s)
		cols := got.HeadCols
		if cols == 0 {
			cols = s.Cols
		}
		if cols%64 != 0 || s.Rows/max(s.Devices, 1)*(cols-64)*m.VocabSize > 1<<27 {
			t.Errorf("%+v: pieces of %d columns", s, cols)
		}
	}
}

// A gradient is 6 FLOP a token and parameter of a matrix, and attention's products.
func TestWork(t *testing.T) {
	m := protocol.Model{
		VocabSize: 32000, HiddenSize: 2048, Layers: 16, Heads: 16, KVHeads: 16, IntermediateSize: 8192,
		MaxPositions: 2048, RopeTheta: 10000, NormEps: 1e-5, InitStd: 0.02,
	}
	l := m.Layout()
	s := program.Shape{Rows: 8, Cols: 2048, Kind: hlo.BF16}
	got := program.Work(m, s, true)
	tokens := float64(s.Rows * s.Cols)
	want := tokens * (6*float64(l.Size()-m.VocabSize*m.HiddenSize) + 6*float64(m.Layers*s.Cols*m.HiddenSize))
	if math.Abs(got.FLOP-want) > 1e-9*want || got.Bytes < 12*float64(l.Size()) {
		t.Errorf("%+v, want %g FLOP", got, want)
	}
	if f := program.Work(m, s, false); math.Abs(3*f.FLOP-want) > 1e-9*want {
		t.Errorf("forward alone: %g FLOP", f.FLOP)
	}
}
