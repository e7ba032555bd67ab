package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/protocol"
)

// down takes the same step from each parameter, times a factor of its own.
func down(size float32, factors ...float32) engine.Step {
	return func(params []float32) func() {
		before := slices.Clone(params)
		for i := range params {
			params[i] -= size * factors[i%len(factors)]
		}
		return func() { copy(params, before) }
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
		o, err := v.Measure(t.Context(), down(0.5, 1, -1, 0), []engine.Batch{{Rows: 4}})
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
		if _, err := v.Measure(t.Context(), down(0.7, 1), []engine.Batch{{Rows: 1}}); err == nil {
			t.Fatalf("call %d failed without an error", fail)
		}
		if p[0] != 0.1 || p[1] != 0.2 || p[2] != 0.3 {
			t.Errorf("after failure of call %d: %v", fail, p)
		}
	}
}
