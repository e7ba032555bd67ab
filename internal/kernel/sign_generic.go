package kernel

import "math"

// PackSigns sets, from bit on, one bit of dst for each value of x that is greater
// than zero, least significant bit first. The bits must be clear before; x is finite.
func PackSigns(dst []byte, bit int, x []float32) {
	for i, v := range x {
		// Of a finite value's bits, read as a signed integer, exactly the positive
		// values are positive: both zeros and all negative values are not.
		positive := byte(uint64(-int64(int32(math.Float32bits(v)))) >> 63)
		dst[(bit+i)/8] |= positive << ((bit + i) % 8)
	}
}

// Step moves p by one signed step: p <- p*decay, then p <- p - lr where the sign bit
// is set and p + lr where it is clear; each operation is rounded to float32.
func Step(p []float32, signs []byte, bit int, decay, lr float32) {
	toward := math.Float32bits(lr)
	for i, v := range p {
		clear := uint32(^signs[(bit+i)/8]>>((bit+i)%8)) & 1
		p[i] = float32(v*decay) - math.Float32frombits(toward^clear<<31)
	}
}
