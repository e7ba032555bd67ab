package kernel

import "math"

// TakeNonzero moves the values of x that are not zero to value, in order, and their indices to index; both are as long as x. It returns how many
// there are, and the largest magnitude. x is zero afterwards. No value is NaN.
func TakeNonzero(index []uint16, value, x []float32) (n int, largest float32) {
	n, done, most := takeFast(index, value, x)
	for i, v := range x[done:] {
		if k := key(v); k != 0 {
			index[n], value[n] = uint16(done+i), v
			n++
			most = max(most, k)
		}
	}
	clear(x[done:])
	return n, math.Float32frombits(most)
}

// Round rounds (x/by)/step, either quotient rounded to float32, to the nearest integers, ties to even, and none larger in magnitude than most, at most 128. For
// those that are not zero, in order, it writes twice the magnitude less one, and the sign in the lowest bit, to code, and what belongs to the value in from to index;
// all are as long as x. It returns how many there are. The quotients are below 2^31.
func Round(index []uint16, code []byte, from []uint16, x []float32, by, step float32, most int) (n int) {
	n, done := roundFast(index, code, from, x, by, step, most)
	for i, v := range x[done:] {
		level := min(max(int(math.RoundToEven(float64(float32(v/by)/step))), -most), most)
		switch {
		case level > 0:
			code[n] = byte(2 * (level - 1))
		case level < 0:
			code[n] = byte(2*(-level-1) + 1)
		default:
			continue
		}
		index[n] = from[done+i]
		n++
	}
	return n
}

// Unpack writes table[c] for each of len(dst) codes c of width bits, 1 or 2, from bit at of b on. All of them are in b. With one bit, the upper half of
// the table is as the lower.
func Unpack(dst []float32, b []byte, at, width uint, table *[4]float32) {
	n := unpackFast(dst, b, at, width, table)
	unpackGeneric(dst[n:], b, at+uint(n)*width, width, table)
}

func unpackGeneric(dst []float32, b []byte, at, width uint, table *[4]float32) {
	for i := range dst {
		word := uint(b[at/8])
		if at%8+width > 8 {
			word |= uint(b[at/8+1]) << 8
		}
		dst[i] = table[word>>(at%8)&(1<<width-1)&3]
		at += width
	}
}
