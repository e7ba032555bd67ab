package nn

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The specification and the fast path, against math.Exp over the whole range.
func TestExpAccuracy(t *testing.T) {
	x := make([]float32, 0, 200000)
	for v := float32(low); v < high; v += 1e-3 {
		x = append(x, v)
	}
	twins(t, func(t *testing.T) {
		y := make([]float32, len(x))
		Exp(y, x, 1, 0)
		for i, v := range x {
			exact := math.Exp(float64(v))
			if math.Abs(float64(y[i])/exact-1) > 2.5e-7 {
				t.Fatalf("exp(%v) is %v, want %v", v, y[i], exact)
			}
		}
	})
}

func TestExpEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := []float32{0, -inf, inf, nan, -1e30, 1e30, 88, -87, 1, -90}
	twins(t, func(t *testing.T) {
		y := make([]float32, len(x))
		Exp(y, x, 1, 0)
		for i, v := range x {
			want := math.Exp(math.Min(math.Max(float64(v), low), high))
			if math.IsNaN(want) != math.IsNaN(float64(y[i])) || math.Abs(float64(y[i])/want-1) > 1e-6 {
				t.Errorf("exp(%v) is %v, want %v", v, y[i], want)
			}
		}
	})
}

// Every length and offset: same bits wherever a value stands, the sum of what is
// there, and canaries untouched.
func TestExpLengths(t *testing.T) {
	const canary = 12345
	rng := rand.New(rand.NewPCG(1, 2))
	x, all := make([]float32, 70), make([]float32, 70)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * 3)
	}
	Exp(all, x, 1.5, 0.25)
	for n := range 40 {
		for offset := range 9 {
			y := make([]float32, n+2)
			y[0], y[n+1] = canary, canary
			sum := Exp(y[1:n+1:n+1], x[offset:offset+n:offset+n], 1.5, 0.25)
			var want float64
			for i := range n {
				want += float64(y[i+1])
				if y[i+1] != all[offset+i] {
					t.Fatalf("length %d, offset %d: value %d is %v, elsewhere %v", n, offset, i, y[i+1], all[offset+i])
				}
			}
			if y[0] != canary || y[n+1] != canary {
				t.Fatalf("length %d: wrote outside", n)
			}
			if math.Abs(sum-want) > 1e-5*want {
				t.Fatalf("length %d: sum %v, want %v", n, sum, want)
			}
		}
	}
}
