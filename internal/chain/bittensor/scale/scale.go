// Package scale reads and writes SCALE, the binary form of everything that a Substrate
// chain stores and takes (Polkadot specification, appendix A.2). What a Reader reads is
// hostile: no length is believed before it is compared with the bytes that are there.
package scale

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Errors of a Reader, wrapped with the offset.
var (
	ErrShort    = errors.New("scale: input ends early")
	ErrCompact  = errors.New("scale: compact number is not in its shortest form, or too large")
	ErrBool     = errors.New("scale: bool is neither 0 nor 1")
	ErrTrailing = errors.New("scale: bytes behind the value")
	ErrTooMany  = errors.New("scale: more elements than bytes")
	ErrOption   = errors.New("scale: option is neither 0 nor 1")
)

// Reader reads values one after another. The first error stays: what is read after it
// is zero, so that a caller checks once, at the end.
type Reader struct {
	b   []byte
	at  int
	err error
}

// NewReader reads b, which must not change meanwhile.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.b) - r.at }

// Fail makes err the reader's error, unless it has one already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w (at byte %d of %d)", err, r.at, len(r.b))
		r.at = len(r.b)
	}
}

// End returns the first error, or one if bytes are left.
func (r *Reader) End() error {
	if r.err == nil && r.Len() > 0 {
		r.Fail(ErrTrailing)
	}
	return r.err
}

// Bytes returns the next n bytes, which the input still owns; nil after an error.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > r.Len() {
		r.Fail(ErrShort)
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at : r.at]
}

// U8 reads a byte.
func (r *Reader) U8() uint8 { return uint8(r.uint(1)) }

// U16 reads two bytes, little endian.
func (r *Reader) U16() uint16 { return uint16(r.uint(2)) }

// U32 reads four bytes, little endian.
func (r *Reader) U32() uint32 { return uint32(r.uint(4)) }

// U64 reads eight bytes, little endian.
func (r *Reader) U64() uint64 { return r.uint(8) }

func (r *Reader) uint(n int) (v uint64) {
	for i, c := range r.Bytes(n) {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// Bool reads a byte that is 0 or 1.
func (r *Reader) Bool() bool {
	v := r.U8()
	if v > 1 {
		r.Fail(ErrBool)
	}
	return v == 1
}

// Option reads the byte before an optional value: whether it is there.
func (r *Reader) Option() bool {
	v := r.U8()
	if v > 1 {
		r.Fail(ErrOption)
	}
	return v == 1
}

// Array32 reads 32 bytes.
func (r *Reader) Array32() (a [32]byte) {
	copy(a[:], r.Bytes(32))
	return a
}

// Compact reads a compact number of up to 64 bits.
func (r *Reader) Compact() uint64 {
	v := r.CompactBig()
	if !v.IsUint64() {
		r.Fail(ErrCompact)
		return 0
	}
	return v.Uint64()
}

// CompactBig reads a compact number of up to 536 bits. A number that is not in its
// shortest form is refused, as Substrate's own decoder does.
func (r *Reader) CompactBig() *big.Int {
	first := r.U8()
	switch first & 3 {
	case 0:
		return big.NewInt(int64(first >> 2))
	case 1:
		return r.atLeast(uint64(first)>>2|uint64(r.U8())<<6, 1<<6)
	case 2:
		return r.atLeast(uint64(first)>>2|r.uint(3)<<6, 1<<14)
	}
	b := slices.Clone(r.Bytes(int(first>>2) + 4))
	if len(b) == 0 || b[len(b)-1] == 0 {
		r.Fail(ErrCompact)
		return new(big.Int)
	}
	slices.Reverse(b)
	v := new(big.Int).SetBytes(b)
	if len(b) == 4 && v.Uint64() < 1<<30 {
		r.Fail(ErrCompact)
	}
	return v
}

func (r *Reader) atLeast(v, least uint64) *big.Int {
	if v < least {
		r.Fail(ErrCompact)
	}
	return new(big.Int).SetUint64(v)
}

// Count reads the number of a vector's elements, each of which takes at least size
// bytes. It is never larger than what the rest of the input can hold.
func (r *Reader) Count(size int) int {
	n := r.Compact()
	if n > uint64(r.Len()/max(size, 1)) {
		r.Fail(ErrTooMany)
		return 0
	}
	return int(n)
}

// Vec reads bytes behind their number.
func (r *Reader) Vec() []byte { return r.Bytes(r.Count(1)) }

// String reads text behind its length.
func (r *Reader) String() string { return string(r.Vec()) }

// AppendCompact appends v in its shortest form.
func AppendCompact(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v<<2))
	case v < 1<<14:
		return binary.LittleEndian.AppendUint16(b, uint16(v<<2|1))
	case v < 1<<30:
		return binary.LittleEndian.AppendUint32(b, uint32(v<<2|2))
	}
	return AppendCompactBig(b, new(big.Int).SetUint64(v))
}

// AppendCompactBig appends v, which is not negative and below 2^536.
func AppendCompactBig(b []byte, v *big.Int) []byte {
	if v.BitLen() <= 30 {
		return AppendCompact(b, v.Uint64())
	}
	raw := v.Bytes()
	slices.Reverse(raw)
	for len(raw) < 4 {
		raw = append(raw, 0)
	}
	return append(append(b, byte(len(raw)-4)<<2|3), raw...)
}

// AppendVec appends v behind its length.
func AppendVec(b, v []byte) []byte { return append(AppendCompact(b, uint64(len(v))), v...) }

// AppendU16s appends a vector of u16.
func AppendU16s(b []byte, v []uint16) []byte {
	b = AppendCompact(b, uint64(len(v)))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, x)
	}
	return b
}
