//go:build openblas && (linux || darwin) && (amd64 || arm64)

package openblas

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"templar/internal/kernel/gemm"
)

func library(tb testing.TB) *Library {
	tb.Helper()
	l, err := Load("")
	if err != nil {
		tb.Skip(err)
	}
	return l
}

func TestLoadSaysWhy(t *testing.T) {
	if _, err := Load("./no-such-library.so"); err == nil {
		t.Fatal("no error")
	} else if errors.Is(err, ErrNotBuilt) {
		t.Skip(err)
	}
}

func random(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func TestMulAgreesWithOurs(t *testing.T) {
	l, rng := library(t), rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{1, 1, 1}, {7, 17, 3}, {130, 33, 70}, {3, 5, 0}, {200, 1, 9}} {
		m, n, k := s[0], s[1], s[2]
		for form := range 8 {
			a, b := gemm.Dense(random(rng, m*k), m, k), gemm.Dense(random(rng, k*n), k, n)
			if form&1 != 0 {
				a = gemm.Dense(a.Data, k, m).T()
			}
			if form&2 != 0 {
				b = gemm.Dense(b.Data, n, k).T()
			}
			got := random(rng, m*(n+3))
			want := append([]float32(nil), got...)
			view := func(d []float32) gemm.Matrix {
				return gemm.Matrix{Data: d, Rows: m, Cols: n, RowStride: n + 3, ColStride: 1}
			}
			New(l, gemm.Serial{}).Mul(view(got), a, b, form&4 != 0)
			gemm.New(gemm.Serial{}).Mul(view(want), a, b, form&4 != 0)
			for i := range want {
				if math.Abs(float64(got[i]-want[i])) > 1e-4 {
					t.Fatalf("%v form %d: value %d is %v, ours %v", s, form, i, got[i], want[i])
				}
			}
		}
	}
}

// A call allocates its list of arguments, and nothing that grows.
func TestMulAllocatesNoMemoryOfItsOwn(t *testing.T) {
	l := library(t)
	g := New(l, gemm.Serial{})
	c, a, b := gemm.Dense(make([]float32, 64*64), 64, 64), gemm.Dense(make([]float32, 64*64), 64, 64), gemm.Dense(make([]float32, 64*64), 64, 64)
	if n := testing.AllocsPerRun(5, func() { g.Mul(c, a, b, true) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMul(b *testing.B) {
	l, rng := library(b), rand.New(rand.NewPCG(7, 8))
	for _, s := range [][3]int{{512, 384, 128}, {1024, 688, 256}, {1024, 1024, 1024}} {
		m, n, k := s[0], s[1], s[2]
		x, w, y := gemm.Dense(random(rng, m*k), m, k), gemm.Dense(random(rng, n*k), n, k).T(), gemm.Dense(make([]float32, m*n), m, n)
		for name, g := range map[string]interface {
			Mul(c, a, b gemm.Matrix, add bool)
		}{"openblas": New(l, gemm.Serial{}), "builtin": gemm.New(gemm.Serial{})} {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", m, n, k, name), func(b *testing.B) {
				for b.Loop() {
					g.Mul(y, x, w, false)
				}
				b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
