package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"templar/internal/kernel"
)

// Scheme is the encoding of values on the wire (spec/dctsign, "Values").
type Scheme uint8

// The schemes. All but SchemeF32 have one float32 scale a chunk.
const (
	SchemeF32 Scheme = 1
	SchemeF16 Scheme = 2
	SchemeI8  Scheme = 3
)

// DefaultScheme is used when a Spec names none.
const DefaultScheme = SchemeI8

const (
	scaleSize = 4
	minScale  = 0x1p-126 // the smallest normal float32
)

var schemeNames = [...]string{SchemeF32: "f32", SchemeF16: "f16", SchemeI8: "i8"}

func (s Scheme) valid() bool { return s >= SchemeF32 && s <= SchemeI8 }

func (s Scheme) String() string {
	if s.valid() {
		return schemeNames[s]
	}
	return fmt.Sprintf("scheme(%d)", uint8(s))
}

// width is the size of a value in bytes.
func (s Scheme) width() int { return [...]int{SchemeF32: 4, SchemeF16: 2, SchemeI8: 1}[s] }

// header is the size of what a chunk's values share.
func (s Scheme) header() int {
	if s == SchemeF32 {
		return 0
	}
	return scaleSize
}

// scale returns what a chunk's values are divided by, given the largest magnitude
// among them. ok is false when all are too small to be coded.
func (s Scheme) scale(largest float32) (scale float32, ok bool) {
	switch s {
	case SchemeF16: // a power of two: dividing is exact, and the largest becomes [1, 2)
		scale = math.Float32frombits(math.Float32bits(largest) &^ (1<<23 - 1))
	case SchemeI8:
		scale = largest / kernel.MaxCode
	default:
		return 1, true
	}
	return scale, scale >= minScale
}

// quantise appends the codes of v; 0 stands for a value too small to be sent.
func (s Scheme) quantise(codes []byte, v []float32, scale float32) []byte {
	switch s {
	case SchemeF16:
		for _, v := range v {
			codes = binary.LittleEndian.AppendUint16(codes, halfFromFloat(v/scale))
		}
	case SchemeI8:
		n := len(codes)
		codes = slices.Grow(codes, len(v))[:n+len(v)]
		kernel.Quantise(codes[n:], v, scale)
	default:
		for _, v := range v {
			codes = binary.LittleEndian.AppendUint32(codes, math.Float32bits(v))
		}
	}
	return codes
}

// value decodes a code. Codes that must not be sent give zero, infinity or NaN, which the
// reader refuses; -128 has no opposite and is one of them.
func (s Scheme) value(code uint32, scale float32) float32 {
	switch s {
	case SchemeF16:
		return float32(halfToFloat(uint16(code)) * scale)
	case SchemeI8:
		if int8(code) < -kernel.MaxCode {
			return 0
		}
		return float32(float32(int8(code)) * scale)
	default:
		return math.Float32frombits(code)
	}
}

// code returns the i-th code of b.
func (s Scheme) code(b []byte, i int) uint32 {
	switch s {
	case SchemeF16:
		return uint32(binary.LittleEndian.Uint16(b[2*i:]))
	case SchemeI8:
		return uint32(b[i])
	default:
		return binary.LittleEndian.Uint32(b[4*i:])
	}
}
