package codec

import "math"

// halfFromFloat rounds to the nearest IEEE 754 half, ties to even; v is finite and
// below 65520 in magnitude, and comes out as +0 when it is below half of the
// smallest subnormal.
func halfFromFloat(v float32) uint16 {
	bits := math.Float32bits(v)
	sign := uint16(bits >> 16 & 0x8000)
	magnitude := math.Float32frombits(bits &^ (1 << 31))
	if magnitude < 0x1p-14 { // subnormal: multiples of 2^-24
		n := uint16(math.RoundToEven(float64(magnitude) * 0x1p24))
		if n == 0 {
			return 0
		}
		return sign | n
	}
	// Rounding off 13 bits may carry into the exponent, which is what it should do.
	m := math.Float32bits(magnitude)
	m += 1<<12 - 1 + m>>13&1
	return sign | uint16(m>>13-(127-15)<<10)
}

// halfToFloat is exact.
func halfToFloat(h uint16) float32 {
	exponent, fraction := uint32(h>>10&31), uint32(h&1023)
	var v float32
	switch exponent {
	case 0:
		v = float32(fraction) * 0x1p-24
	case 31:
		v = math.Float32frombits(255<<23 | fraction<<13)
	default:
		v = math.Float32frombits((exponent+127-15)<<23 | fraction<<13)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}
