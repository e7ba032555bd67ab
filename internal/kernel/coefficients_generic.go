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
