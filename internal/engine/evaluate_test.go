package engine_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"templar/internal/engine"
)

// down takes the same step from each parameter, times a factor of its own.
func down(size float32, factors ...float32) engine.Trial {
	return engine.Trial{Deltas: func() engine.Step {
		return func(dst []float32, at int) {
			for i := range dst {
				dst[i] = size * factors[(at+i)%len(factors)]
			}
		}
	}}
}

// bowl has the sum of squares for a loss; it counts calls.
type bowl struct {
	params []float32
	calls  int
	fail   int // the call that fails
}

func (b *bowl) Loss(_ context.Context, batch engine.Batch) (engine.Loss, error) {
	if b.calls++; b.calls == b.fail {
		return engine.Loss{}, errors.New("lost power")
	}
	l := engine.Loss{Tokens: batch.Rows}
	for _, v := range b.params {
		l.Sum += float64(v) * float64(v) * float64(batch.Rows)
	}
	return l, nil
}

func (b *bowl) Try(_ context.Context, step engine.Step) (func(context.Context) error, error) {
	before, delta := slices.Clone(b.params), make([]float32, len(b.params))
	step(delta, 0)
	for i, d := range delta {
		b.params[i] -= d
	}
	return func(ctx context.Context) error {
		copy(b.params, before)
		return ctx.Err()
	}, nil
}

func TestEvaluator(t *testing.T) {
	b := &bowl{params: []float32{1, -1, 0.5}}
	v := engine.NewEvaluator(b, []engine.Batch{{Rows: 1}, {Rows: 2}})
	for range 2 {
		o, err := v.Measure(t.Context(), down(0.5, 1, -1, 0), []engine.Batch{{Rows: 4}}, []engine.Batch{{Rows: 2}, {Rows: 6}})
		want := engine.Outcome{
			OwnBefore: []engine.Loss{{Sum: 9, Tokens: 4}}, OwnAfter: []engine.Loss{{Sum: 3, Tokens: 4}},
			CommonBefore: engine.Loss{Sum: 6.75, Tokens: 3}, CommonAfter: engine.Loss{Sum: 2.25, Tokens: 3},
			OtherAfter: []engine.Loss{{Sum: 1.5, Tokens: 2}, {Sum: 4.5, Tokens: 6}},
		}
		if err != nil || !reflect.DeepEqual(o, want) {
			t.Fatalf("outcome %+v, %v", o, err)
		}
	}
	if b.calls != 2*6+2 {
		t.Errorf("%d calls: the common loss before is to be computed once", b.calls)
	}
}

// The step is undone whatever fails, also when the context has ended.
func TestEvaluatorRestoresAfterFailure(t *testing.T) {
	for fail := 1; fail <= 5; fail++ {
		b := &bowl{params: []float32{0.1, 0.2, 0.3}, fail: fail}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		v := engine.NewEvaluator(b, []engine.Batch{{Rows: 1}})
		_, err := v.Measure(ctx, down(0.7, 1), []engine.Batch{{Rows: 1}}, []engine.Batch{{Rows: 1}})
		if err == nil || errors.Is(err, context.Canceled) {
			t.Fatalf("call %d failed: %v", fail, err)
		}
		if p := b.params; p[0] != 0.1 || p[1] != 0.2 || p[2] != 0.3 {
			t.Errorf("after failure of call %d: %v", fail, p)
		}
	}
}
