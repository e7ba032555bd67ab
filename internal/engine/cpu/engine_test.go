package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/engine/enginetest"
	"templar/internal/model"
	"templar/protocol"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(m protocol.Model, threads int) (engine.Engine, error) {
		e, err := cpu.New(m, cpu.Options{Threads: threads})
		if err != nil {
			return nil, err
		}
		return e, nil
	})
}

func TestOpenBLASConformance(t *testing.T) {
	if e, err := cpu.New(tiny(), cpu.Options{BLAS: cpu.OpenBLAS}); err != nil {
		t.Skip(err)
	} else {
		e.Close()
	}
	enginetest.Run(t, func(m protocol.Model, threads int) (engine.Engine, error) {
		return cpu.New(m, cpu.Options{Threads: threads, BLAS: cpu.OpenBLAS})
	})
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []cpu.Options{{Threads: -1}, {BLAS: "fast"}} {
		if _, err := cpu.New(enginetest.Models()["plain"], o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	e, err := cpu.New(tiny(), cpu.Options{BLAS: cpu.Auto})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.BLAS() == "" {
		t.Error("the engine does not say what multiplies")
	}
}

// step returns a training step of a model on a batch of rows x cols.
func step(tb testing.TB, m protocol.Model, rows, cols, threads int) (run func(), tokens int) {
	e, err := cpu.New(m, cpu.Options{Threads: threads})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	params := model.Init(m, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	b := engine.Batch{Rows: rows, Cols: cols}
	for range rows * cols {
		b.Inputs = append(b.Inputs, rng.Int32N(int32(m.VocabSize)))
	}
	b.Targets = b.Inputs
	if err := e.Load(tb.Context(), params); err != nil {
		tb.Fatal(err)
	}
	return func() {
		if _, err := e.Accumulate(tb.Context(), b, 1); err != nil {
			tb.Fatal(err)
		}
	}, rows * cols
}

// tiny is the model of the tiny preset, small one that PyTorch was measured on.
func tiny() protocol.Model {
	return protocol.Model{
		VocabSize: 256, HiddenSize: 128, Layers: 2, Heads: 4, KVHeads: 4, IntermediateSize: 384,
		MaxPositions: 256, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
	}
}

func small() protocol.Model {
	m := tiny()
	m.VocabSize, m.HiddenSize, m.Layers, m.IntermediateSize = 1024, 256, 4, 688
	return m
}

func TestGradientDoesNotAllocate(t *testing.T) {
	for _, threads := range []int{1, 2} {
		run, _ := step(t, tiny(), 8, 64, threads)
		if n := testing.AllocsPerRun(3, run); n != 0 {
			t.Errorf("%d threads: %v allocations a step", threads, n)
		}
	}
}

func BenchmarkGradient(b *testing.B) {
	for _, c := range []struct {
		name       string
		model      protocol.Model
		rows, cols int
	}{{"tiny", tiny(), 8, 64}, {"small", small(), 8, 128}} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", c.name, threads), func(b *testing.B) {
				run, tokens := step(b, c.model, c.rows, c.cols, threads)
				run()
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
