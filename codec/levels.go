package codec

import "math"

// Levels is the number of bits of a value in a sparse record: its sign, and its level below
// the chunk's largest magnitude (spec/sparse, "Values").
type Levels uint8

// The widths. Levels1 has one magnitude a chunk, Levels2 two, Levels4 eight and Levels8 128
// evenly spaced ones.
const (
	Levels1 Levels = 1
	Levels2 Levels = 2
	Levels4 Levels = 4
	Levels8 Levels = 8
)

// Valid reports whether l is one of the four widths.
func (l Levels) Valid() bool { return l == Levels1 || l == Levels2 || l == Levels4 || l == Levels8 }

const (
	divisorBits   = 13 // of a piece's Golomb divisor
	magnitudeBits = 12 // the exponent and the upper four bits of the fraction of a float32
	ratioBits     = 6  // of the smaller magnitude of Levels2, in 64ths of the larger
	maxSparseSize = 1 << 12
	// tooFaint is the magnitude below which a chunk is not sent: every product with a level is exact above.
	tooFaint = 0x1p-100
	// tooGreat is the magnitude from which on a chunk is refused: sums over peers stay finite below.
	tooGreat = 0x1p100
)

// magnitudeOf returns the code of the magnitude nearest to v, or at least v if up.
// v is finite and at least tooFaint.
func magnitudeOf(v float32, up bool) uint32 {
	const low = 1<<(23-4) - 1
	b := math.Float32bits(v)
	if up {
		b += low
	} else {
		b += low>>1 + b>>(23-4)&1 // ties to even
	}
	return min(b>>(23-4), 254<<4|15)
}

func magnitude(code uint32) float32 { return math.Float32frombits(code << (23 - 4)) }

// value is what a code stands for. Every product is exact.
func (l Levels) value(code byte, high, low uint32) float32 {
	v := magnitude(high)
	switch l {
	case Levels1:
	case Levels2:
		if code&2 == 0 {
			v *= float32(low+1) / (1 << ratioBits)
		}
	default:
		v *= float32(code>>1+1) / float32(int(1)<<(l-1))
	}
	if code&1 != 0 {
		return -v
	}
	return v
}

// decode writes the values of codes. Every product is exact.
func (l Levels) decode(dst []float32, code []byte, high, low uint32) {
	if l <= Levels2 {
		var table [4]float32
		for c := range table {
			table[c] = l.value(byte(c), high, low)
		}
		for i, c := range code {
			dst[i] = table[c&3]
		}
		return
	}
	step := magnitude(high) / float32(uint(1)<<(l-1)) // exact
	for i, c := range code {
		v := float32(c>>1+1) * step
		dst[i] = math.Float32frombits(math.Float32bits(v) | uint32(c&1)<<31)
	}
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }
