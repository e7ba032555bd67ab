//go:build linux || darwin

package process_test

import (
	"math"
	"runtime"
	"testing"

	"templar/internal/engine"
	"templar/internal/model"
	"templar/internal/workers"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

// Beside an engine in a process of its own, a trainer holds no vector while it trains and compresses, and those of its private
// state while that is saved: what package memory plans with.
func TestTrainerHoldsNoVectors(t *testing.T) {
	for preset, c := range map[string]struct {
		create method.Factory
		keep   string
	}{"tiny": {dctsign.New, "topk_compression"}, "tiny-loco": {sparseloco.New, "topk"}} {
		t.Run(preset, func(t *testing.T) {
			p, err := protocol.Preset(preset)
			if err != nil {
				t.Fatal(err)
			}
			p.Method = p.Method.With("target_chunk", 16).With(c.keep, 16) // the test's child transforms slowly
			m, err := c.create(&p, workers.Pool{})
			if err != nil {
				t.Fatal(err)
			}
			e, err := start(t, p.Model, "1", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			params := model.Init(p.Model, 1)
			trainer := m.NewTrainer(e)
			before := heap()
			holds := func(when string, vectors int) {
				t.Helper()
				if got := (heap() - before) / float64(4*len(params)); math.Abs(got-float64(vectors)) > 0.3 {
					t.Errorf("%s: %.2f vectors on the heap, want %d", when, got, vectors)
				}
			}
			window := func(step uint64) {
				t.Helper()
				if err := trainer.Begin(t.Context(), step, params); err != nil {
					t.Fatal(err)
				}
				b := engine.Batch{Rows: 1, Cols: 4, Inputs: []int32{1, 2, 3, 4}, Targets: []int32{2, 3, 4, 5}}
				if _, err := trainer.Batch(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				if _, err := trainer.Payload(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := trainer.Stored(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			window(0)
			holds("after a window", 0)
			state, err := trainer.Save(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			holds("while the state is saved", m.Private)
			runtime.KeepAlive(state)
			window(1)
			holds("after the next window", 0)
			runtime.KeepAlive(params)
		})
	}
}

// heap is the bytes that are in use.
func heap() float64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}
