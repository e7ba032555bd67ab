package kernel

import (
	"encoding/binary"
	"math"
	"math/bits"
)

func gapsGeneric(dst []uint16, b []byte, rice, at, next, below uint) (n int, end, after uint) {
	for n < len(dst) && at/8+8 <= uint(len(b)) {
		word := binary.LittleEndian.Uint64(b[at/8:]) >> (at % 8)
		quotient := uint(bits.TrailingZeros64(word))
		used := quotient + 1 + rice
		if used > 64-7 { // may reach beyond the word
			break
		}
		this := next + quotient<<rice + uint(word>>(quotient+1))&(1<<rice-1)
		if this >= below {
			break
		}
		dst[n] = uint16(this)
		n, next, at = n+1, this+1, at+used
	}
	return n, at, next
}

// golombGeneric does not branch on which of its two lengths a rest has: it is about even.
func golombGeneric(dst []uint16, b []byte, divisor, at, next, below uint) (n int, end, after uint) {
	width := uint(bits.Len(divisor-1)-1) & 63 // of a short rest
	short := 2<<width - divisor
	for n < len(dst) && at/8+8 <= uint(len(b)) {
		word := uint(binary.LittleEndian.Uint64(b[at/8:]) >> (at % 8))
		quotient := uint(bits.TrailingZeros64(uint64(word)))
		if quotient+width > 64-7-3 { // may reach beyond the word
			break
		}
		word >>= (quotient + 1) & 63
		rest := word & (1<<width - 1)
		long := uint(int(short-1-rest) >> 63) // all ones for a rest of width+1 bits
		rest += (rest + word>>width&1 - short) & long
		this := next + quotient*divisor + rest
		if this >= below {
			break
		}
		dst[n] = uint16(this)
		n, next, at = n+1, this+1, at+quotient+1+width+long&1
	}
	return n, at, next
}

func quantisedGeneric(codes []byte, x []float32, scale float32) {
	for i, v := range x {
		q := math.RoundToEven(float64(v) / float64(scale))
		codes[i] = byte(int8(min(max(q, -MaxCode), MaxCode)))
	}
}

func scaledGeneric(dst []float32, codes []byte, scale float32) (ok bool) {
	ok = true
	dst = dst[:len(codes)]
	for i, code := range codes {
		dst[i] = float32(int8(code)) * scale
		ok = ok && code&0x7f != 0
	}
	return ok
}
