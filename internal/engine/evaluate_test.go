package engine_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"templar/internal/engine"
	"templar/protocol"
)

func TestTrialIsTakenBackBitForBit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float32{
		"trained":  func() float32 { return float32(rng.NormFloat64() * 0.02) },
		"norms":    func() float32 { return float32(1 + rng.NormFloat64()*0.1) },
		"tiny":     func() float32 { return float32(rng.NormFloat64() * 1e-12) },
		"any bits": func() float32 { return math.Float32frombits(rng.Uint32()) },
	} {
		const n, size = 100000, 8e-5
		p, before := make([]float32, n), make([]uint32, n)
		for i := range p {
			p[i] = draw()
			before[i] = math.Float32bits(p[i])
		}
		signs := func(i int) int { return i%5%3 - 1 }
		trial := engine.Try(p, size, signs)
		kept := trial.Kept()
		for i, v := range p {
			want := math.Float32frombits(before[i]) - size*float32(signs(i))
			if v != want && v == v {
				t.Fatalf("%s: parameter %d became %v, want %v", name, i, v, want)
			}
		}
		trial.Undo()
		for i, v := range p {
			if math.Float32bits(v) != before[i] {
				t.Fatalf("%s: parameter %d is %x, was %x", name, i, math.Float32bits(v), before[i])
			}
		}
		t.Logf("%s: %.2f %% kept aside", name, 100*float64(kept)/n)
		if name == "trained" && kept > n/50 {
			t.Errorf("%d of %d trained parameters were kept aside", kept, n)
		}
	}
}

// bowl is an engine whose loss is the sum of squares; it counts calls.
type bowl struct {
	calls int
	fail  int // the call that fails
}

func (b *bowl) Layout() protocol.Layout { return nil }
func (b *bowl) Close() error            { return nil }

func (b *bowl) Gradient(context.Context, []float32, []float32, engine.Batch, float32) (engine.Loss, error) {
	return engine.Loss{}, errors.ErrUnsupported
}

func (b *bowl) Loss(_ context.Context, p []float32, batch engine.Batch) (engine.Loss, error) {
	if b.calls++; b.calls == b.fail {
		return engine.Loss{}, errors.New("lost power")
	}
	l := engine.Loss{Tokens: batch.Rows}
	for _, v := range p {
		l.Sum += float64(v) * float64(v) * float64(batch.Rows)
	}
	return l, nil
}

func TestEvaluator(t *testing.T) {
	b, p := &bowl{}, []float32{1, -1, 0.5}
	v := engine.NewEvaluator(b, p, []engine.Batch{{Rows: 1}, {Rows: 2}})
	for range 2 {
		o, err := v.Measure(t.Context(), 0.5, func(i int) int { return []int{1, -1, 0}[i] }, []engine.Batch{{Rows: 4}})
		want := engine.Outcome{
			OwnBefore: engine.Loss{Sum: 9, Tokens: 4}, OwnAfter: engine.Loss{Sum: 3, Tokens: 4},
			CommonBefore: engine.Loss{Sum: 6.75, Tokens: 3}, CommonAfter: engine.Loss{Sum: 2.25, Tokens: 3},
		}
		if err != nil || o != want {
			t.Fatalf("outcome %+v, %v", o, err)
		}
	}
	if b.calls != 2*4+2 {
		t.Errorf("%d calls: the common loss before is to be computed once", b.calls)
	}
}

func TestEvaluatorRestoresAfterFailure(t *testing.T) {
	for fail := 1; fail <= 4; fail++ {
		p := []float32{0.1, 0.2, 0.3}
		v := engine.NewEvaluator(&bowl{fail: fail}, p, []engine.Batch{{Rows: 1}})
		if _, err := v.Measure(t.Context(), 0.7, func(int) int { return 1 }, []engine.Batch{{Rows: 1}}); err == nil {
			t.Fatalf("call %d failed without an error", fail)
		}
		if p[0] != 0.1 || p[1] != 0.2 || p[2] != 0.3 {
			t.Errorf("after failure of call %d: %v", fail, p)
		}
	}
}
