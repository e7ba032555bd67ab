package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// scattered is a Runner of n workers that do the pieces in a shuffled order, at once.
type scattered struct{ n int }

func (s scattered) Workers() int { return s.n }

func (s scattered) Run(n, grain int, t Task) {
	pieces := make(chan int, n)
	for _, i := range rand.Perm((n + grain - 1) / grain) {
		pieces <- i * grain
	}
	close(pieces)
	var wg sync.WaitGroup
	for w := range s.n {
		wg.Go(func() {
			for lo := range pieces {
				t.Do(w, lo, min(lo+grain, n))
			}
		})
	}
	wg.Wait()
}

func random(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// naive returns a*b and the sum of the products' magnitudes, which bounds rounding.
func naive(a, b Matrix, i, j int) (sum, magnitude float64) {
	for p := range a.Cols {
		v := float64(a.Data[i*a.RowStride+p*a.ColStride]) * float64(b.Data[p*b.RowStride+j*b.ColStride])
		sum, magnitude = sum+v, magnitude+math.Abs(v)
	}
	return sum, magnitude
}

func TestMulAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := [][3]int{{1, 1, 1}, {6, 16, 1}, {6, 16, 2}, {7, 17, 3}, {5, 15, 256}, {13, 40, 257}, {100, 33, 600}, {3, 2100, 5}, {120, 48, 64}, {9, 1100, 2100}}
	for _, s := range sizes {
		m, n, k := s[0], s[1], s[2]
		for form := range 8 {
			a, b := Dense(random(rng, m*k), m, k), Dense(random(rng, k*n), k, n)
			if form&1 != 0 {
				a = Dense(a.Data, k, m).T()
			}
			if form&2 != 0 {
				b = Dense(b.Data, n, k).T()
			}
			add := form&4 != 0
			stride := n + 3 // the gap must stay untouched
			before := random(rng, m*stride)
			for _, kern := range kernels() {
				t.Run(fmt.Sprintf("%dx%dx%d/%d/%s", m, n, k, form, kern.name), func(t *testing.T) {
					c := Matrix{Data: append([]float32(nil), before...), Rows: m, Cols: n, RowStride: stride, ColStride: 1}
					newWith(scattered{3}, kern).Mul(c, a, b, add)
					check(t, c, a, b, before, add)
				})
			}
		}
	}
}

func check(t *testing.T, c, a, b Matrix, before []float32, add bool) {
	t.Helper()
	for i := range c.Rows {
		for j := range c.RowStride {
			got, old := float64(c.Data[i*c.RowStride+j]), float64(before[i*c.RowStride+j])
			if j >= c.Cols {
				if got != old {
					t.Fatalf("wrote past row %d at %d", i, j)
				}
				continue
			}
			want, magnitude := naive(a, b, i, j)
			if add {
				want += old
			}
			if math.Abs(got-want) > 1e-6*(magnitude+1) {
				t.Fatalf("(%d, %d) is %g, want %g", i, j, got, want)
			}
		}
	}
}

func TestMulSameBitsForAnyWorkers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m, n, k := 131, 75, 520
	a, b := Dense(random(rng, m*k), k, m).T(), Dense(random(rng, k*n), k, n)
	want := make([]float32, m*n)
	New(Serial{}).Mul(Dense(want, m, n), a, b, false)
	for _, workers := range []int{1, 2, 3, 8} {
		got := make([]float32, m*n)
		New(scattered{workers}).Mul(Dense(got, m, n), a, b, false)
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("%d workers: value %d is %x, want %x", workers, i, got[i], want[i])
			}
		}
	}
}

// The assembly sees slices that end exactly where they must, followed by canaries.
func TestKernelStaysInBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const canary = 12345
	for _, kern := range kernels() {
		const tiles = 2
		ldc := tiles*kern.cols + 4
		for k := 1; k < 9; k++ {
			for _, s := range [][2]int{{1, kern.rows}, {k, 1}} {
				a := Matrix{Data: random(rng, (kern.rows-1)*s[0]+(k-1)*s[1]+1), Rows: kern.rows, Cols: k, RowStride: s[0], ColStride: s[1]}
				b := random(rng, tiles*k*kern.cols)
				got := make([]float32, kern.rows*ldc)
				for i := range got {
					got[i] = canary
				}
				end := (kern.rows-1)*ldc + tiles*kern.cols
				for _, add := range []bool{false, true} {
					kern.tiles(tiles, k, a.Data, s[0], s[1], b, got[:end:end], ldc, add)
				}
				for i, v := range got {
					if i%ldc >= tiles*kern.cols {
						if v != canary {
							t.Fatalf("%s: wrote value %d", kern.name, i)
						}
						continue
					}
					panel := Dense(b[i%ldc/kern.cols*k*kern.cols:], k, kern.cols)
					if want, _ := naive(a, panel, i/ldc, i%ldc%kern.cols); math.Abs(float64(v)-2*want) > 1e-4 {
						t.Fatalf("%s: k %d strides %v: value %d is %g, want %g", kern.name, k, s, i, v, 2*want)
					}
				}
			}
		}
	}
}

// Packing moves values and nothing else.
func TestPack(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, kern := range kernels() {
		for _, wide := range []int{kern.rows, kern.cols} {
			for _, rows := range []int{wide, wide - 1, 1} {
				for _, cols := range []int{1, 7, 8, 9, 24, 31} {
					for _, m := range []Matrix{Dense(random(rng, rows*cols), rows, cols), Dense(random(rng, rows*cols), cols, rows).T()} {
						got := random(rng, wide*cols+1)
						last := got[wide*cols]
						kern.pack(got, m, wide)
						for i, v := range got[:wide*cols] {
							want := float32(0)
							if r := i % wide; r < rows {
								want = m.Data[r*m.RowStride+i/wide*m.ColStride]
							}
							if v != want {
								t.Fatalf("%s: %d x %d strides %d, %d to %d wide: value %d is %g, want %g", kern.name, rows, cols, m.RowStride, m.ColStride, wide, i, v, want)
							}
						}
						if got[wide*cols] != last {
							t.Fatalf("%s: wrote past the end", kern.name)
						}
					}
				}
			}
		}
	}
}

// Kernels that fuse multiply and add give the same bits.
func TestFusedKernelsAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	m, n, k := 70, 90, 300
	a, b := Dense(random(rng, m*k), m, k), Dense(random(rng, k*n), k, n)
	var first []float32
	for _, kern := range kernels() {
		if kern.name == Generic {
			continue
		}
		got := make([]float32, m*n)
		newWith(Serial{}, kern).Mul(Dense(got, m, n), a, b, false)
		if first == nil {
			first = got
		}
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(first[i]) {
				t.Fatalf("%s: value %d is %g, not %g", kern.name, i, v, first[i])
			}
		}
	}
}

// However large B is, no more of it is kept than a few panels' worth.
func TestPackedIsBounded(t *testing.T) {
	g := New(Serial{})
	for _, s := range [][2]int{{256, 9000}, {4000, 2000}} {
		k, n := s[0], s[1]
		g.Mul(Dense(make([]float32, n), 1, n), Dense(make([]float32, k), 1, k), Dense(make([]float32, k*n), k, n), false)
		if most := max(packedAtOnce, k*width) + k*g.kernel.cols; len(g.packed.data) > most {
			t.Errorf("%d x %d: %d values are kept, want at most %d", k, n, len(g.packed.data), most)
		}
	}
}

func TestMulRejectsSizes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	New(Serial{}).Mul(Dense(make([]float32, 4), 2, 2), Dense(make([]float32, 6), 2, 3), Dense(make([]float32, 4), 2, 2), false)
}

func TestMulDoesNotAllocate(t *testing.T) {
	g := New(Serial{})
	c, a, b := Dense(make([]float32, 64*64), 64, 64), Dense(make([]float32, 64*300), 64, 300), Dense(make([]float32, 64*300), 300, 64)
	if n := testing.AllocsPerRun(5, func() { g.Mul(c, a, b, true) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkMul(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, s := range [][3]int{{512, 128, 128}, {1024, 688, 256}, {688, 256, 1024}, {32, 64, 64}, {1024, 1024, 1024}} {
		m, n, k := s[0], s[1], s[2]
		x, w, dy := Dense(random(rng, m*k), m, k), Dense(random(rng, n*k), n, k), Dense(random(rng, k*m), k, m)
		y := Dense(make([]float32, m*n), m, n)
		run := func(form string, kern kernel, a, bm Matrix) {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", m, n, k, form), func(b *testing.B) {
				g := newWith(Serial{}, kern)
				for b.Loop() {
					g.Mul(y, a, bm, false)
				}
				b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		for _, kern := range kernels() {
			run("NT/"+kern.name, kern, x, w.T())
			run("NN/"+kern.name, kern, x, Dense(w.Data, k, n))
			run("TN/"+kern.name, kern, dy.T(), Dense(w.Data, k, n))
		}
	}
}
