package kernel

import (
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
		forward(tr, x, NewScratch(tr.Size()))
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
		forward(tr, coef, s)
		back := make([]float32, len(x))
		tr.Inverse(back, everyIndex(len(x)), coef, s)
		for i := range x {
			if math.Abs(float64(back[i]-x[i])) > 5e-6 {
				t.Fatalf("%v: value %d is %v, want %v", shape, i, back[i], x[i])
			}
		}
	}
}

// forward transforms a chunk in place.
func forward(tr *Transform, x []float32, s *Scratch) {
	tr.Forward(x, Rows{X: x, Stride: tr.Cols}, Rows{}, s)
}

func everyIndex(n int) []uint16 {
	index := make([]uint16, n)
	for i := range index {
		index[i] = uint16(i)
	}
	return index
}

// inverseAsSpecified is the inverse as docs/spec/dctsign.md words it: one vector at a
// time, by the formulas, with no memory shared.
func inverseAsSpecified(coef []float32, rows, cols int) []float32 {
	mid, out := make([]float32, len(coef)), make([]float32, len(coef))
	for u := range rows {
		for v := range cols {
			mid[u*cols+v] = coef[u*cols+v] * scales(rows, cols)[2*min(u, 1)+min(v, 1)]
		}
		copy(mid[u*cols:], dct3(mid[u*cols:][:cols]))
	}
	column := make([]float32, rows)
	for j := range cols {
		for i := range rows {
			column[i] = mid[i*cols+j]
		}
		for i, v := range dct3(column) {
			out[i*cols+j] = v
		}
	}
	return out
}

func dct3(X []float32) []float32 {
	n := len(X)
	x := make([]float32, n)
	if n%2 == 1 {
		for i := range x {
			x[i] = sumOf(X, func(k int) float32 { return entry((2*i+1)*k, n) })
		}
		return x
	}
	var even, odd []float32
	for k := range n / 2 {
		even, odd = append(even, X[2*k]), append(odd, X[2*k+1])
	}
	e, o := dct3(even), dct4(odd)
	for i := range n / 2 {
		x[i], x[n-1-i] = e[i]+o[i], e[i]-o[i]
	}
	return x
}

func dct4(X []float32) []float32 {
	n := len(X)
	x := make([]float32, n)
	if n%2 == 1 {
		for i := range x {
			x[i] = sumOf(X, func(k int) float32 { return entry((2*i+1)*(2*k+1), 2*n) })
		}
		return x
	}
	h := n / 2
	A, B := make([]float32, h), make([]float32, h)
	A[0], B[0] = X[0], X[n-1]
	for k := 1; k < h; k++ {
		A[k], B[h-k] = X[2*k-1]+X[2*k], X[2*k-1]-X[2*k]
	}
	a, b := dct3(A), dct3(B)
	for i := range h {
		c, s := entry(2*i+1, 2*n), entry(2*n-2*i-1, 2*n)
		if i%2 == 0 {
			x[i], x[n-1-i] = float32(a[i]*c)+float32(b[i]*s), float32(a[i]*s)-float32(b[i]*c)
		} else {
			x[i], x[n-1-i] = float32(a[i]*c)-float32(b[i]*s), float32(a[i]*s)+float32(b[i]*c)
		}
	}
	return x
}

func sumOf(X []float32, c func(k int) float32) float32 {
	s := float32(X[0] * c(0))
	for k, v := range X[1:] {
		s += float32(v * c(k+1))
	}
	return s
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
	keys, found, index := make([]uint32, tr.Size()), make([]uint16, tr.Size()), make([]uint16, 0, 32)
	if n := testing.AllocsPerRun(10, func() {
		forward(tr, x, s)
		index, _ = TopK(index[:0], x, 32, keys, found)
		tr.Inverse(out, index, x[:32], s)
	}); n != 0 {
		t.Errorf("%v allocations a chunk", n)
	}
}
