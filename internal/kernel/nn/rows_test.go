package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// twins runs a test with the Go twins, and with assembly where there is some.
func twins(t *testing.T, f func(t *testing.T)) {
	if fast && vectors(lanes) != 1 {
		t.Error("assembly is not used")
	}
	t.Run("assembly", f)
	was := fast
	fast = false
	defer func() { fast = was }()
	t.Run("go", f)
}

const canary = 12345

// rows are slices of n random values each; behind each stands a canary.
func rows(rng *rand.Rand, count, n int) [][]float32 {
	out := make([][]float32, count)
	for i := range out {
		out[i] = make([]float32, n+1)
		for j := range n {
			out[i][j] = float32(rng.NormFloat64())
		}
		out[i][n] = canary
		out[i] = out[i][:n]
	}
	return out
}

// operation is a function of this package and its definition in float64, of the values at one
// place; both change some of their rows.
type operation struct {
	name   string
	rows   int
	do     func(r [][]float32)
	define func(v []float64)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func operations() []operation {
	const s, c = 0.75, -1.5
	return []operation{
		{"ScoreGradient", 2, func(r [][]float32) { ScoreGradient(r[0], r[1], c, s) },
			func(v []float64) { v[0] = s * v[1] * (v[0] - c) }},
		{"SwiGLU", 3, func(r [][]float32) { SwiGLU(r[0], r[1], r[2]) },
			func(v []float64) { v[0] = v[1] * sigmoid(v[1]) * v[2] }},
		{"SwiGLUBackward", 3, func(r [][]float32) { SwiGLUBackward(r[0], r[1], r[2], make([]float32, len(r[0]))) },
			func(v []float64) {
				g, up, d := v[0], v[1], v[2]
				v[0], v[1] = d*up*sigmoid(g)*(1+g*(1-sigmoid(g))), d*g*sigmoid(g)
			}},
		{"Rotate", 4, func(r [][]float32) { Rotate(r[0], r[1], r[2], r[3], -1) },
			func(v []float64) { v[0], v[1] = v[0]*v[2]+v[1]*v[3], v[1]*v[2]-v[0]*v[3] }},
		{"Norm", 3, func(r [][]float32) { Norm(r[0], r[1], r[2], s) },
			func(v []float64) { v[0] = v[1] * s * v[2] }},
		{"multiply", 1, func(r [][]float32) { multiply(r[0], c) },
			func(v []float64) { v[0] *= c }},
	}
}

// Every operation does what it is defined to, at every length, and nothing behind it.
func TestRows(t *testing.T) {
	twins(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, o := range operations() {
			for n := range 35 {
				got := rows(rng, o.rows, n)
				want := make([][]float64, n)
				for i := range want {
					for _, r := range got {
						want[i] = append(want[i], float64(r[i]))
					}
					o.define(want[i])
				}
				o.do(got)
				for k, r := range got {
					for i, v := range r {
						if math.Abs(float64(v)-want[i][k]) > 2e-6*(1+math.Abs(want[i][k])) {
							t.Fatalf("%s of %d: value %d of row %d is %v, want %v", o.name, n, i, k, v, want[i][k])
						}
					}
					if r[:n+1][n] != canary {
						t.Fatalf("%s of %d: wrote behind row %d", o.name, n, k)
					}
				}
			}
		}
	})
}

func TestNormBackward(t *testing.T) {
	twins(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, n := range []int{1, 7, 8, 9, 40, 100} {
			const s = 0.75
			r := rows(rng, 5, n)
			dx, dw, dy, x, w := r[0], r[1], r[2], r[3], r[4]
			var mean float64
			for i := range n {
				mean += float64(dy[i]) * float64(w[i]) * float64(x[i]) / float64(n)
			}
			wantX, wantW := make([]float64, n), make([]float64, n)
			for i := range n {
				wantX[i] = float64(dx[i]) + s*(float64(dy[i])*float64(w[i])-float64(x[i])*s*s*mean)
				wantW[i] = float64(dw[i]) + s*float64(dy[i])*float64(x[i])
			}
			NormBackward(dx, dw, dy, x, w, s)
			for i := range n {
				if math.Abs(float64(dx[i])-wantX[i]) > 2e-6*(1+math.Abs(wantX[i])) || math.Abs(float64(dw[i])-wantW[i]) > 2e-6*(1+math.Abs(wantW[i])) {
					t.Fatalf("of %d: value %d is %v and %v, want %v and %v", n, i, dx[i], dw[i], wantX[i], wantW[i])
				}
			}
		}
	})
}

func TestSums(t *testing.T) {
	twins(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		for n := range 40 {
			r := rows(rng, 3, n)
			var two, three, magnitude float64
			top := math.Inf(-1)
			for i := range n {
				p := float64(r[0][i]) * float64(r[1][i])
				two, three = two+p, three+p*float64(r[2][i])
				magnitude += math.Abs(p * float64(r[2][i]))
				top = max(top, float64(r[0][i]))
			}
			if got := Dot(r[0], r[1]); math.Abs(got-two) > 1e-12 {
				t.Errorf("Dot of %d: %v, want %v", n, got, two)
			}
			if got := dot3(r[0], r[1], r[2]); math.Abs(got-three) > 1e-7*magnitude {
				t.Errorf("dot3 of %d: %v, want %v", n, got, three)
			}
			if got := largest(r[0]); float64(got) != top {
				t.Errorf("largest of %d: %v, want %v", n, got, top)
			}
		}
	})
}

// Probabilities sum to what is asked for, whatever the scores; a NaN among them spoils all.
func TestSoftmax(t *testing.T) {
	twins(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 8))
		for n := 1; n < 40; n++ {
			for _, offset := range []float32{0, 1000, -1000} {
				const scale, c = 0.5, 3
				x := rows(rng, 1, n)[0]
				x[n-1] += 400 // what stands out is taken away, wherever it stands
				var sum float64
				for i := range x {
					sum += math.Exp(scale * float64(x[i]))
				}
				want := make([]float64, n)
				for i := range x {
					want[i] = c * math.Exp(scale*float64(x[i])) / sum
					x[i] += offset
				}
				logSum := Softmax(x, scale, c)
				if math.Abs(logSum-math.Log(sum)-scale*float64(offset)) > 1e-4 {
					t.Fatalf("of %d: log of the sum %v", n, logSum)
				}
				for i, v := range x {
					if math.Abs(float64(v)-want[i]) > 1e-4 {
						t.Fatalf("of %d: value %d is %v, want %v", n, i, v, want[i])
					}
				}
			}
		}
		for at := range 11 {
			x := rows(rng, 1, 11)[0]
			x[at] = float32(math.NaN())
			if logSum := Softmax(x, 1, 1); !math.IsNaN(logSum) || !math.IsNaN(float64(x[0])) {
				t.Errorf("NaN at %d: log of the sum %v, value %v", at, logSum, x[0])
			}
		}
	})
}

func BenchmarkRows(b *testing.B) {
	rng := rand.New(rand.NewPCG(9, 10))
	list := append(operations(), operation{"Exp", 2, func(r [][]float32) { Exp(r[0], r[1], 1, 0) }, nil},
		operation{"NormBackward", 5, func(r [][]float32) { NormBackward(r[0], r[1], r[2], r[3], r[4], 1e-9) }, nil})
	was := fast
	defer func() { fast = was }()
	for _, o := range list {
		for _, name := range []string{"go", "assembly"} {
			if fast = was && name == "assembly"; name == "assembly" && !was {
				continue
			}
			r := rows(rng, o.rows, 1024)
			b.Run(fmt.Sprintf("%s/%s", o.name, name), func(b *testing.B) {
				b.SetBytes(4 * 1024)
				for b.Loop() {
					o.do(r)
				}
			})
		}
	}
}
