package kernel

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func bySorting(x []float32, k int) []uint16 {
	index := everyIndex(len(x))
	slices.SortStableFunc(index, func(i, j uint16) int {
		return cmp.Compare(math.Abs(float64(x[j])), math.Abs(float64(x[i])))
	})
	index = slices.DeleteFunc(index[:min(k, len(x))], func(i uint16) bool { return x[i] == 0 })
	slices.Sort(index)
	return index
}

func TestTopKIsSorting(t *testing.T) {
	few := rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), 1, -1, 1e-40, -2, 2.0000002})
	wide := rapid.Custom(func(t *rapid.T) float32 { return float32(rapid.Float64Range(-1e30, 1e30).Draw(t, "v")) })
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.OneOf(few, wide), 1, 200).Draw(t, "x")
		k := rapid.IntRange(1, 220).Draw(t, "k")
		got, ok := TopK(nil, x, k, make([]uint32, len(x)), make([]uint16, len(x)))
		if want := bySorting(x, k); !ok || !slices.Equal(got, want) {
			t.Fatalf("TopK = %v %v, want %v", got, ok, want)
		}
	})
}

func TestTopKRefuses(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0x1p127, -0x1p127} {
		if _, ok := TopK(nil, []float32{1, float32(v), 2}, 1, make([]uint32, 3), make([]uint16, 3)); ok {
			t.Errorf("TopK takes %v", v)
		}
	}
	if _, ok := TopK(nil, []float32{1, 0x1.fffffep126}, 1, make([]uint32, 2), make([]uint16, 2)); !ok {
		t.Error("TopK refuses the largest value below 2^127")
	}
}
