package cpu_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/engine/enginetest"
	"templar/internal/model"
	"templar/protocol"
)

// random is a batch of a model with two ignored targets.
func random(m protocol.Model, rows, cols int) engine.Batch {
	rng := rand.New(rand.NewPCG(5, 6))
	b := engine.Batch{Rows: rows, Cols: cols}
	for range rows * cols {
		b.Inputs = append(b.Inputs, rng.Int32N(int32(m.VocabSize)))
		b.Targets = append(b.Targets, rng.Int32N(int32(m.VocabSize)))
	}
	b.Targets[3], b.Targets[len(b.Targets)-1] = engine.Ignore, engine.Ignore
	return b
}

// outcome is what an engine with so much memory computes of a batch.
func outcome(t *testing.T, m protocol.Model, b engine.Batch, memory int64) (grads []float32, trained, evaluated engine.Loss, held int64) {
	t.Helper()
	e, err := cpu.New(m, cpu.Options{Threads: 2, Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Load(t.Context(), model.Init(m, 3)); err != nil {
		t.Fatal(err)
	}
	if trained, err = e.Accumulate(t.Context(), b, 0.5); err != nil {
		t.Fatal(err)
	}
	held = cpu.Held(e)
	if evaluated, err = e.Loss(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	g, err := e.Gradient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return append(grads, g...), trained, evaluated, held
}

// Under every bound on memory the gradient and the losses have the bits of the batch computed at
// once, within the memory that the plan states.
func TestBitsUnderEveryPlan(t *testing.T) {
	if testing.Short() {
		t.Skip("computes for seconds")
	}
	deep := enginetest.Models()["odd"]
	deep.MaxPositions = 300
	wide := small() // its head works in several pieces
	wide.VocabSize, wide.HiddenSize, wide.IntermediateSize, wide.Layers = 20000, 64, 96, 2
	for name, c := range map[string]struct {
		model      protocol.Model
		rows, cols int
		plans      int
	}{
		"tiny": {tiny(), 24, 64, 4}, "long": {deep, 3, 256, 3}, "uneven": {deep, 7, 96, 2}, "head": {wide, 12, 64, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := random(c.model, c.rows, c.cols)
			want, wantTrained, wantLoss, _ := outcome(t, c.model, b, 0)
			whole, err := cpu.PlanStep(c.model, c.rows, c.cols, 2, true, 0)
			if err != nil || whole.Rows != c.rows || whole.Recompute {
				t.Fatalf("without a bound: %+v, %v", whole, err)
			}
			seen := map[cpu.Plan]bool{}
			for p := whole; ; {
				seen[p] = true
				got, trained, loss, held := outcome(t, c.model, b, p.Bytes)
				if trained != wantTrained || loss != wantLoss {
					t.Errorf("%+v: losses %v and %v, want %v and %v", p, trained, loss, wantTrained, wantLoss)
				}
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%+v: gradient %d is %g, want %g", p, i, got[i], want[i])
					}
				}
				if held > p.Bytes || held < p.Bytes/3 {
					t.Errorf("%+v: %d bytes are held", p, held)
				}
				if p, err = cpu.PlanStep(c.model, c.rows, c.cols, 2, true, p.Bytes-1); err != nil {
					break
				}
			}
			recomputed := false
			for p := range seen {
				recomputed = recomputed || p.Recompute
			}
			if len(seen) < c.plans || !recomputed {
				t.Errorf("plans %v: want %d, and recomputation", seen, c.plans)
			}
		})
	}
}

// A batch that cannot be computed within the bound is refused, with the figure, before any memory is
// taken.
func TestPlanRefuses(t *testing.T) {
	m := small()
	m.HiddenSize, m.IntermediateSize, m.VocabSize, m.Layers, m.MaxPositions = 2048, 8192, 32000, 16, 2048
	_, err := cpu.PlanStep(m, 6, 2048, 2, true, 100<<20)
	if err == nil || !strings.Contains(err.Error(), "1 sequences of 2048 tokens need") || !strings.Contains(err.Error(), "100 MiB are left") {
		t.Errorf("%v", err)
	}
	e, err := cpu.New(tiny(), cpu.Options{Memory: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Load(t.Context(), model.Init(tiny(), 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Accumulate(t.Context(), random(tiny(), 8, 64), 1); err == nil || cpu.Held(e) != 0 {
		t.Errorf("%v, and %d bytes are held", err, cpu.Held(e))
	}
}
