package yuma

import (
	"math"
	"math/bits"
)

// fixed is a signed number with 32 fractional bits (I32F32). Floats differ in the last
// unit of the stored 16-bit results, and between architectures, so none is used.
type fixed int64

const one fixed = 1 << 32

func integer(v uint16) fixed { return fixed(v) << 32 }

// proportion is v/65535, truncated.
func proportion(v uint16) fixed { return ratio(uint64(v), math.MaxUint16) }

// ratio is a/b truncated, for a <= b; 0 when b is 0.
func ratio(a, b uint64) fixed {
	if b == 0 || a > b {
		return 0
	}
	q, _ := bits.Div64(a>>32, a<<32, b)
	return fixed(q)
}

// add saturates.
func add(a, b fixed) fixed {
	s := a + b
	if (a > 0 && b > 0 && s < 0) || (a < 0 && b < 0 && s >= 0) {
		if a > 0 {
			return math.MaxInt64
		}
		return math.MinInt64
	}
	return s
}

// mul rounds towards minus infinity and saturates.
func mul(a, b fixed) fixed {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if a < 0 { // from the unsigned to the signed product
		hi -= uint64(b)
	}
	if b < 0 {
		hi -= uint64(a)
	}
	switch top := int64(hi) >> 31; {
	case top > 0:
		return math.MaxInt64
	case top < -1:
		return math.MinInt64
	}
	return fixed(hi<<32 | lo>>32)
}

// div truncates towards zero; it is 0 when b is 0 or the quotient overflows.
func div(a, b fixed) fixed {
	x, y := abs(a), abs(b)
	if x>>32 >= y { // covers y == 0
		return 0
	}
	q, _ := bits.Div64(x>>32, x<<32, y)
	if q > math.MaxInt64 {
		return 0
	}
	if (a < 0) != (b < 0) {
		return -fixed(q)
	}
	return fixed(q)
}

func abs(a fixed) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// toU16 is the share of 65535, rounded down.
func toU16(a fixed) uint16 {
	return uint16(min(max(mul(a, integer(math.MaxUint16))>>32, 0), math.MaxUint16))
}

// share is a's part of amount, rounded down.
func share(a fixed, amount uint64) uint64 {
	if a <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(a), amount)
	if hi>>32 != 0 {
		return math.MaxUint64
	}
	return hi<<32 | lo>>32
}

func sum(v []fixed) (s fixed) {
	for _, x := range v {
		s = add(s, x)
	}
	return s
}

// normalized is v over s; v itself when s is 0.
func normalized(v []fixed, s fixed) []fixed {
	out := make([]fixed, len(v))
	for i, x := range v {
		if out[i] = x; s != 0 {
			out[i] = div(x, s)
		}
	}
	return out
}

func allU16(v []fixed) []uint16 {
	out := make([]uint16, len(v))
	for i, x := range v {
		out[i] = toU16(x)
	}
	return out
}
