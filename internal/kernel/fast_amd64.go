//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _gen && go run . -out ../avx2_amd64.s -stubs ../avx2_amd64.go -pkg kernel"

const fastSide = 64

// The assembly is used where the processor has AVX2, unless GODEBUG=cpu.avx2=off or a
// test says otherwise.

// fast reports whether the chunks are of the shape that the assembly transforms.
func (t *Transform) fast() bool { return t.Rows == fastSide && t.Cols == fastSide && cpu.X86.HasAVX2 }

func (t *Transform) forwardFast(x []float32, s *Scratch) bool {
	if !t.fast() {
		return false
	}
	chunk, a, b := (*[4096]float32)(x), (*[4096]float32)(s.a), (*[4096]float32)(s.b)
	forward64AVX2(a, chunk)
	transpose64AVX2(b, a, &t.fastScale[0])
	forward64AVX2(a, b)
	transpose64AVX2(chunk, a, &t.fastScale[1])
	return true
}

// inverseFast is inverseGeneric.
func (t *Transform) inverseFast(dst []float32, s *Scratch) bool {
	if !t.fast() {
		return false
	}
	a, b := (*[4096]float32)(s.a), (*[4096]float32)(s.b)
	inverse64AVX2(b, a)
	transpose64AVX2(a, b, &t.fastScale[0])
	inverse64AVX2((*[4096]float32)(dst), a)
	return true
}

// candidates writes the indices of at least k values, the k largest among them, and
// returns how many; ok is false where the assembly cannot, or finds fewer that are not
// zero. largest is the largest key of all.
func candidates(dst []uint16, x []float32, k int) (n int, largest uint32, ok bool) {
	if !cpu.X86.HasAVX2 || k > 48 || len(x) == 0 || len(x)%64 != 0 || len(dst) < len(x) {
		return 0, 0, false
	}
	// The k-th largest of 64 group maxima is not above the k-th largest value.
	var most [64]uint32
	maximaAVX2(&x[0], len(x), &most)
	for _, m := range most {
		largest = max(largest, m)
	}
	least := kthLargest(most[:], k)
	if least == 0 {
		return 0, 0, false
	}
	return aboveAVX2(&dst[0], &x[0], len(x), least-1), largest, true
}

// packFast packs the whole bytes that the assembly can and returns how many values.
func packFast(dst []byte, bit int, x []float32) int {
	n := len(x) &^ 7
	if !cpu.X86.HasAVX2 || bit%8 != 0 || n == 0 {
		return 0
	}
	_ = dst[(bit+n)/8-1]
	packSignsAVX2(&dst[bit/8], &x[0], n)
	return n
}

// stepFast steps the whole bytes that the assembly can and returns how many values.
func stepFast(p []float32, signs []byte, bit int, decay, lr float32) int {
	n := len(p) &^ 7
	if !cpu.X86.HasAVX2 || bit%8 != 0 || n == 0 {
		return 0
	}
	_ = signs[(bit+n)/8-1]
	stepAVX2(&p[0], &signs[bit/8], n, decay, lr)
	return n
}
