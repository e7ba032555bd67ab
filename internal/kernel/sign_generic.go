package kernel

import "math"

func packSignsGeneric(dst []byte, bit int, x []float32) {
	for i, v := range x {
		// Of a finite value's bits, read as a signed integer, exactly the positive
		// values are positive: both zeros and all negative values are not.
		positive := byte(uint64(-int64(int32(math.Float32bits(v)))) >> 63)
		dst[(bit+i)/8] |= positive << ((bit + i) % 8)
	}
}

func stepGeneric(p []float32, signs []byte, bit int, decay, lr float32) {
	toward := math.Float32bits(lr)
	for i, v := range p {
		clear := uint32(^signs[(bit+i)/8]>>((bit+i)%8)) & 1
		p[i] = float32(v*decay) - math.Float32frombits(toward^clear<<31)
	}
}
