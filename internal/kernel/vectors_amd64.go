//go:build !noasm

package kernel

import "math/bits"

// What the assembly does to whole vectors; the generic code does the rest.

// packFast packs the whole bytes that the assembly can and returns how many values.
func packFast(dst []byte, bit int, x []float32) int {
	n := len(x) &^ 7
	if !hasAVX2() || bit%8 != 0 || n == 0 {
		return 0
	}
	_ = dst[(bit+n)/8-1]
	packSignsAVX2(&dst[bit/8], &x[0], n)
	return n
}

// stepFast steps the whole bytes that the assembly can and returns how many values.
func stepFast(p []float32, signs []byte, bit int, decay, lr float32) int {
	n := len(p) &^ 7
	if !hasAVX2() || bit%8 != 0 || n == 0 {
		return 0
	}
	_ = signs[(bit+n)/8-1]
	stepAVX2(&p[0], &signs[bit/8], n, decay, lr)
	return n
}

// gapsFast reads as many indices as the assembly can.
func gapsFast(dst []uint16, b []byte, rice, at, next, below uint) (n int, end, after uint) {
	if !hasAVX2() || len(dst) < 4 || len(b) < 8 {
		return 0, at, next
	}
	return gapsAVX2(&dst[0], len(dst), &b[0], len(b), rice, at, next, below)
}

// golombFast is gapsFast for Golomb codes.
func golombFast(dst []uint16, b []byte, divisor, at, next, below uint) (n int, end, after uint) {
	if !hasAVX2() || len(dst) < 4 || len(b) < 8 {
		return 0, at, next
	}
	width := uint(bits.Len(divisor - 1))
	short := uint(1)<<width - divisor
	return golombAVX2(&dst[0], len(dst), &b[0], len(b), divisor, width, short, 2*short, at, next, below)
}

// takeFast takes whole vectors: it returns how many values of how many were not zero, and their largest key.
func takeFast(index []uint16, value, x []float32) (count, n int, largest uint32) {
	n = len(x) &^ 7
	if !hasAVX2() || n == 0 {
		return 0, 0, 0
	}
	_, _ = index[len(x)-1], value[len(x)-1]
	count, largest = takenAVX2(&index[0], &value[0], &x[0], n)
	return count, n, largest
}

// roundFast rounds whole vectors: it returns how many codes of how many values it has written.
func roundFast(index []uint16, code []byte, from []uint16, x []float32, by, step float32, most int) (count, n int) {
	n = len(x) &^ 7
	if !hasAVX2() || n == 0 {
		return 0, 0
	}
	_, _, _ = index[n-1], code[n-1], from[n-1]
	return roundedAVX2(&index[0], &code[0], &from[0], &x[0], n, by, step, int32(most)), n
}

// unpackFast writes the values of eight codes at a time, as long as four bytes can be read, and returns how many.
func unpackFast(dst []float32, b []byte, at, width uint, table *[4]float32) int {
	n := len(dst) &^ 7
	for n > 0 && (at+uint(n-8)*width)/8+4 > uint(len(b)) {
		n -= 8
	}
	if !hasAVX2() || n == 0 {
		return 0
	}
	unpackedAVX2(&dst[0], n, &b[0], at, width, table)
	return n
}

// quantisedFast quantises whole vectors and returns how many values.
func quantisedFast(codes []byte, x []float32, scale float32) int {
	n := len(x) &^ 7
	if !hasAVX2() || n == 0 {
		return 0
	}
	quantisedAVX2(&codes[0], &x[0], n, scale)
	return n
}

// scaledFast scales whole vectors of codes and returns how many.
func scaledFast(dst []float32, codes []byte, scale float32) (n int, ok bool) {
	n = len(codes) &^ 7
	if !hasAVX2() || n == 0 {
		return 0, true
	}
	return n, scaledAVX2(&dst[0], &codes[0], n, scale)
}

// dividedFast divides whole vectors and returns how many values.
func dividedFast(x []float32, by float64) int {
	n := len(x) &^ 7
	if !hasAVX2() || n == 0 {
		return 0
	}
	dividedAVX2(&x[0], n, by)
	return n
}

// packChunkFast packs a chunk whose rows are whole words.
func packChunkFast(dst []byte, bit, apart int, x []float32) bool {
	if !hasAVX512() || len(x) != 4096 || bit%8 != 0 || apart%8 != 0 {
		return false
	}
	_ = dst[(bit+63*apart)/8+7]
	packRowsAVX512(&dst[bit/8], apart/8, (*[4096]float32)(x))
	return true
}
