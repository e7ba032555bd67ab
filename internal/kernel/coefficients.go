package kernel

// ReadGaps reads Rice-coded gaps (docs/spec/dctsign.md, "Indices") from bit at of b on,
// and writes the ascending indices that they stand for, the first not below next, to
// dst until it is full. It returns how many, the bit after the last one, and the least
// index that can follow. It stops early where the caller has to look closer: near the
// end of b, before a code that is long, and before an index that is not below the bound.
func ReadGaps(dst []uint16, b []byte, rice, at, next, below uint) (n int, end, after uint) {
	n, at, next = gapsFast(dst, b, rice, at, next, below)
	m, at, next := gapsGeneric(dst[n:], b, rice, at, next, below)
	return n + m, at, next
}

// ReadGolomb is ReadGaps for gaps that are Golomb-coded with a divisor of 2 and above (docs/spec/sparse.md, "Indices"), and stops
// early in the same places.
func ReadGolomb(dst []uint16, b []byte, divisor, at, next, below uint) (n int, end, after uint) {
	n, at, next = golombFast(dst, b, divisor, at, next, below)
	m, at, next := golombGeneric(dst[n:], b, divisor, at, next, below)
	return n + m, at, next
}

// MaxCode is the largest magnitude of a code.
const MaxCode = 127

// Quantise writes x/scale, rounded to the nearest integer, ties to even, and no larger
// in magnitude than MaxCode, to codes as signed bytes. x is finite, scale not zero.
func Quantise(codes []byte, x []float32, scale float32) {
	codes = codes[:len(x)]
	n := quantisedFast(codes, x, scale)
	quantisedGeneric(codes[n:], x[n:], scale)
}

// Dequantise writes signed eight-bit codes times scale to dst, and reports whether all
// are codes that may be sent: not 0, and not -128.
func Dequantise(dst []float32, codes []byte, scale float32) (ok bool) {
	n, ok := scaledFast(dst[:len(codes)], codes, scale)
	return ok && scaledGeneric(dst[n:], codes[n:], scale)
}

// Divide divides x in float64 and rounds to float32.
func Divide(x []float32, by float64) {
	n := dividedFast(x, by)
	for i, v := range x[n:] {
		x[n+i] = float32(float64(v) / by)
	}
}
