package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var shapes = [][2]int{{64, 64}, {1, 64}, {48, 40}, {43, 64}, {7, 13}, {1, 1}, {1, 50}, {20, 24}, {3, 2}, {64, 1}, {16, 6}}

func noise(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// slowDCT is the definition, in float64.
func slowDCT(x []float32, rows, cols int) []float64 {
	out := make([]float64, len(x))
	entry := func(n, u, i int) float64 {
		s := math.Sqrt(2 / float64(n))
		if u == 0 {
			s = math.Sqrt(1 / float64(n))
		}
		return s * math.Cos(math.Pi*float64(2*i+1)*float64(u)/float64(2*n))
	}
	mid := make([]float64, len(x))
	for r := range rows {
		for v := range cols {
			for j := range cols {
				mid[r*cols+v] += float64(x[r*cols+j]) * entry(cols, v, j)
			}
		}
	}
	for u := range rows {
		for v := range cols {
			for i := range rows {
				out[u*cols+v] += mid[i*cols+v] * entry(rows, u, i)
			}
		}
	}
	return out
}

func TestForwardIsTheDefinition(t *testing.T) {
	for _, shape := range shapes {
		tr := NewTransform(shape[0], shape[1])
		x := noise(1, tr.Size())
		want := slowDCT(x, tr.Rows, tr.Cols)
		tr.Forward(x, NewScratch(tr.Size()))
		for i := range x {
			if math.Abs(float64(x[i])-want[i]) > 5e-6 {
				t.Fatalf("%v: coefficient %d is %v, want %v", shape, i, x[i], want[i])
			}
		}
	}
}

func TestInverseUndoesForward(t *testing.T) {
	for _, shape := range shapes {
		tr := NewTransform(shape[0], shape[1])
		s := NewScratch(tr.Size())
		x := noise(2, tr.Size())
		coef := slices.Clone(x)
		tr.Forward(coef, s)
		back := make([]float32, len(x))
		tr.Inverse(back, everyIndex(len(x)), coef, s)
		for i := range x {
			if math.Abs(float64(back[i]-x[i])) > 5e-6 {
				t.Fatalf("%v: value %d is %v, want %v", shape, i, back[i], x[i])
			}
		}
	}
}

func everyIndex(n int) []uint16 {
	index := make([]uint16, n)
	for i := range index {
		index[i] = uint16(i)
	}
	return index
}

// inverseAsSpecified is the inverse as docs/spec/codec.md words it: dense, one sum at
// a time, nothing left out.
func inverseAsSpecified(coef []float32, rows, cols int) []float32 {
	mid, out := make([]float32, len(coef)), make([]float32, len(coef))
	for r := range rows {
		copy(mid[r*cols:], inverse1(coef[r*cols:][:cols]))
	}
	column := make([]float32, rows)
	for j := range cols {
		for i := range rows {
			column[i] = mid[i*cols+j]
		}
		for i, v := range inverse1(column) {
			out[i*cols+j] = v
		}
	}
	return out
}

func inverse1(x []float32) []float32 {
	return inverseLevel(x, len(x), 1)
}

func inverseLevel(x []float32, length, step int) []float32 {
	sum := func(i, first, every int) (s float32) {
		for u := first; u < len(x); u += every {
			s += float32(x[u] * dctEntry(len(x), u, i))
		}
		return s
	}
	out := make([]float32, length)
	if length%2 == 1 {
		for i := range out {
			out[i] = sum(i, 0, step)
		}
		return out
	}
	for i, even := range inverseLevel(x, length/2, 2*step) {
		odd := sum(i, step, 2*step)
		out[i], out[length-1-i] = even+odd, even-odd
	}
	return out
}

func TestInverseIsTheSpecificationBitForBit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, shape := range shapes {
		tr := NewTransform(shape[0], shape[1])
		s := NewScratch(tr.Size())
		for _, share := range []float64{0, 0.01, 0.2, 1} {
			dense := make([]float32, tr.Size())
			var index []uint16
			var value []float32
			for i := range dense {
				if r.Float64() < share {
					dense[i] = float32(r.NormFloat64())
					index, value = append(index, uint16(i)), append(value, dense[i])
				}
			}
			got := make([]float32, tr.Size())
			tr.Inverse(got, index, value, s)
			want := inverseAsSpecified(dense, tr.Rows, tr.Cols)
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%v, %d coefficients: value %d is %x, want %x", shape, len(index), i, got[i], want[i])
				}
			}
		}
	}
}

func TestChunkLoopDoesNotAllocate(t *testing.T) {
	tr := NewTransform(64, 64)
	s := NewScratch(tr.Size())
	x, out := noise(4, tr.Size()), make([]float32, tr.Size())
	keys, index := make([]uint32, tr.Size()), make([]uint16, 0, 32)
	if n := testing.AllocsPerRun(10, func() {
		tr.Forward(x, s)
		index, _ = TopK(index[:0], x, 32, keys)
		tr.Inverse(out, index, x[:32], s)
	}); n != 0 {
		t.Errorf("%v allocations a chunk", n)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, shape := range [][2]int{{64, 64}, {43, 64}, {1, 64}} {
		b.Run(fmt.Sprint(shape[0], "x", shape[1]), func(b *testing.B) {
			tr := NewTransform(shape[0], shape[1])
			s := NewScratch(tr.Size())
			x, work := noise(5, tr.Size()), make([]float32, tr.Size())
			b.SetBytes(int64(4 * tr.Size()))
			for b.Loop() {
				copy(work, x)
				tr.Forward(work, s)
			}
		})
	}
}

func BenchmarkInverse(b *testing.B) {
	for _, sent := range []int{32, 450} {
		b.Run(fmt.Sprint("coefficients=", sent), func(b *testing.B) {
			tr := NewTransform(64, 64)
			s := NewScratch(tr.Size())
			value, out := noise(6, sent), make([]float32, tr.Size())
			index := everyIndex(tr.Size())
			rand.New(rand.NewPCG(7, 1)).Shuffle(len(index), func(i, j int) { index[i], index[j] = index[j], index[i] })
			b.SetBytes(int64(4 * tr.Size()))
			for b.Loop() {
				tr.Inverse(out, index[:sent], value, s)
			}
		})
	}
}

func BenchmarkTopK(b *testing.B) {
	x := noise(8, 4096)
	keys, index := make([]uint32, len(x)), make([]uint16, 0, 32)
	b.SetBytes(int64(4 * len(x)))
	for b.Loop() {
		index, _ = TopK(index[:0], x, 32, keys)
	}
}
