package score

import (
	"math"
	"testing"
)

var (
	nan = math.NaN()
	inf = math.Inf(1)
)

func TestImprovement(t *testing.T) {
	for _, c := range []struct {
		before, after, want float64
		ok                  bool
	}{
		{4, 3, 0.25, true}, {4, 4, 0, true}, {4, 5, -0.25, true}, {4, 0, 1, true},
		{4, 9, -1, true}, {4, nan, -1, true}, {4, inf, -1, true},
		{0, 1, 0, false}, {-1, 1, 0, false}, {nan, 1, 0, false}, {inf, 1, 0, false},
	} {
		got, ok := Improvement(c.before, c.after)
		if got != c.want || ok != c.ok {
			t.Errorf("Improvement(%v, %v) = %v, %v; want %v, %v", c.before, c.after, got, ok, c.want, c.ok)
		}
	}
}

func TestIndicator(t *testing.T) {
	for _, c := range []struct{ own, random, want float64 }{
		{0.2, 0.1, 1}, {0.1, 0.2, -1}, {0.1, 0.1, -1}, {-0.1, -0.2, 1},
	} {
		if got := Indicator(c.own, c.random); got != c.want {
			t.Errorf("Indicator(%v, %v) = %v, want %v", c.own, c.random, got, c.want)
		}
	}
}

func TestCompare(t *testing.T) {
	got := Compare([]float32{1, 2, 3, 4}, []float32{1, 5, 3, 0}, 0.5)
	if want := (Distance{L2: 5, MeanAbs: 1.75, StepsBehind: 3.5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Compare([]float32{1}, []float32{float32(math.NaN())}, 1); !math.IsNaN(float64(got.StepsBehind)) {
		t.Errorf("%+v for what is no number", got)
	}
}

func TestSyncScore(t *testing.T) {
	for _, c := range []struct{ steps, want float64 }{
		{0, 1}, {1, 0.5724334022399462}, {2.5, 0.1767766952966369}, {3, 0.10119288512538814},
		{5, 0}, {7, 0}, {inf, 0}, {nan, 0}, {-1, 0},
	} {
		if got := SyncScore(c.steps); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("SyncScore(%v) = %v, want %v", c.steps, got, c.want)
		}
	}
}

func TestFinal(t *testing.T) {
	for _, c := range []struct{ ordinal, binary, sync, want float64 }{
		{10, 0.5, 0.5, 2.5}, {-10, 0.5, 0.5, -2.5}, {10, -0.5, 1, 0}, {-10, -0.5, 1, 0}, {10, 1, 0, 0},
	} {
		if got := Final(c.ordinal, c.binary, c.sync); got != c.want || math.Signbit(got) != math.Signbit(c.want) {
			t.Errorf("Final(%v, %v, %v) = %v, want %v", c.ordinal, c.binary, c.sync, got, c.want)
		}
	}
}

func TestWeights(t *testing.T) {
	b := Book{Records: []Record{
		{UID: 1, Final: 2, Evaluations: 1},
		{UID: 2, Final: 4, Evaluations: 3},
		{UID: 3, Final: -1, Evaluations: 3},
		{UID: 4, Final: 9}, // never evaluated
		{UID: 5, Final: 0, Evaluations: 1},
	}}
	got := b.Weights(2)
	want := []Weight{{1, 0.2, 16384}, {2, 0.8, 65535}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
	huge := Book{Records: []Record{{UID: 1, Final: 1e200, Evaluations: 1}, {UID: 2, Final: 1e-200, Evaluations: 1}}}
	if got := huge.Weights(2); got[0] != (Weight{1, 1, 65535}) || got[1] != (Weight{2, 0, 0}) {
		t.Errorf("of huge finals: %v", got)
	}
	if got := (&Book{}).Weights(2); len(got) != 0 {
		t.Errorf("without miners: %v", got)
	}
}
