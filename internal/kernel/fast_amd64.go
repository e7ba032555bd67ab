//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _gen && go run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg kernel"

// The assembly is used where the processor has AVX2, and that for AVX-512 where it has
// what Zen 4 and Ice Lake do, unless GODEBUG=cpu.avx2=off (cpu.avx512f=off) or a test
// says otherwise.

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 }

func hasAVX512() bool {
	return hasAVX2() && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW &&
		cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VBMI2
}

// fast reports whether the chunks are of the shape that the assembly transforms.
func (t *Transform) fast() bool { return t.Rows == fastSide && t.Cols == fastSide && hasAVX2() }

func (t *Transform) forwardFast(dst []float32, from, next Rows, s *Scratch) bool {
	if !t.fast() {
		return false
	}
	_ = from.X[63*from.Stride+63]
	if len(next.X) < 64 {
		next = from
	}
	chunk, a, b := (*[4096]float32)(dst), (*[4096]float32)(s.a), (*[4096]float32)(s.b)
	first, second := &next.X[0], &next.X[32]
	collect64AVX2(chunk, &from.X[0], from.Stride)
	if hasAVX512() {
		forward64TurnedAVX512(b, chunk, &t.fastScale[0], first, next.Stride)
		forward64TurnedAVX512(chunk, b, &t.fastScale[1], second, next.Stride)
		return true
	}
	forward64AVX2(a, chunk)
	transpose64AVX2(b, a, &t.fastScale[0], first, next.Stride)
	forward64AVX2(a, b)
	transpose64AVX2(chunk, a, &t.fastScale[1], second, next.Stride)
	return true
}

// collectFast is Collect for chunks of 64 x 64.
func collectFast(dst []float32, from, next Rows) bool {
	if !hasAVX2() {
		return false
	}
	_ = from.X[63*from.Stride+63]
	if len(next.X) <= 63*next.Stride+63 {
		next = from
	}
	collectAhead64AVX2((*[4096]float32)(dst), &from.X[0], from.Stride, &next.X[0])
	return true
}

// inverseFast is inverseGeneric.
func (t *Transform) inverseFast(dst []float32, s *Scratch) bool {
	if !t.fast() {
		return false
	}
	chunk, a, b := (*[4096]float32)(dst), (*[4096]float32)(s.a), (*[4096]float32)(s.b)
	if hasAVX512() {
		inverse64TurnedAVX512(b, a, &t.fastScale[0])
		inverse64AVX512(chunk, b)
		return true
	}
	inverse64AVX2(b, a)
	transpose64AVX2(a, b, &t.fastScale[0], &b[0], 0)
	inverse64AVX2(chunk, a)
	return true
}

// candidates writes the indices of at least k values, the k largest among them, and
// returns how many; ok is false where the assembly cannot, or finds fewer that are not
// zero. largest is the largest key of all.
func candidates(dst []uint16, x []float32, k int) (n int, largest uint32, ok bool) {
	const groups = 128
	if !hasAVX2() || k > groups || len(x) == 0 || len(x)%64 != 0 || len(dst) < len(x) {
		return 0, 0, false
	}
	if hasAVX512() {
		n = candidatesAVX512(&dst[0], &x[0], len(x), k)
		if n < 0 {
			return 0, tooLarge, true
		}
		return n, 0, n > 0
	}
	// The k-th largest of the groups' maxima is not above the k-th largest value.
	var most [groups]uint32
	half := len(x) / 128 * 64
	if half > 0 {
		maximaAVX2(&x[0], half, (*[64]uint32)(most[:64]))
	}
	maximaAVX2(&x[half], len(x)-half, (*[64]uint32)(most[64:]))
	for _, m := range most {
		largest = max(largest, m)
	}
	least := kthAVX2(&most, k) // or a little less
	if least == 0 {
		return 0, 0, false
	}
	return aboveAVX2(&dst[0], &x[0], len(x), least-1), largest, true
}

// choose keeps, of a few candidates, the k largest, and moves their indices to the
// front of found; ok is false where the assembly cannot, or keys tie for the last place:
// then found is as it was.
func choose(found []uint16, keys []uint32, n, k int) (ok bool) {
	if !hasAVX2() || n > 128 || len(keys) < 64 {
		return false
	}
	if !hasAVX512() {
		if len(keys) < 128 {
			return false
		}
		clear(keys[n:128])
		return chooseAVX2((*[128]uint16)(found), (*[128]uint32)(keys), n, k)
	}
	if n > 64 && len(keys) >= 128 {
		clear(keys[n:128])
		return chooseMoreAVX512((*[128]uint16)(found), (*[128]uint32)(keys), n, k)
	}
	if n > 64 {
		return false
	}
	clear(keys[n:64])
	return chooseAVX512((*[64]uint16)(found), (*[64]uint32)(keys), n, k)
}
