package codec

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// bitWriter appends bits to bytes, least significant bit first.
type bitWriter struct {
	b    []byte
	acc  uint64
	fill uint // bits in acc, below 8 between calls
}

// write appends the low n bits of v, n <= 56; higher bits of v are zero.
func (w *bitWriter) write(v uint64, n uint) {
	w.acc |= v << w.fill
	w.fill += n
	w.b = slices.Grow(w.b, 8)
	end := len(w.b)
	binary.LittleEndian.PutUint64(w.b[end:end+8], w.acc) // the last byte, if not full, is written again
	w.b = w.b[:end+int(w.fill/8)]
	w.acc >>= w.fill & 56
	w.fill &= 7
}

// pack appends codes of 1, 2, 4 or 8 bits, a byte each.
func (w *bitWriter) pack(code []byte, width uint) {
	for ; width == 8 && len(code) >= 4; code = code[4:] {
		w.write(uint64(binary.LittleEndian.Uint32(code)), 32)
	}
	for ; width < 8 && len(code) >= 8; code = code[8:] {
		// Each step joins neighbours.
		x, gap := binary.LittleEndian.Uint64(code), (8-width)&63
		x = (x | x>>gap) & (0x0001000100010001 * (1<<(2*width&63) - 1))
		x = (x | x>>(2*gap)) & (0x0000000100000001 * (1<<(4*width&63) - 1))
		w.write((x|x>>(4*gap))&(1<<(8*width&63)-1), 8*width)
	}
	for _, c := range code {
		w.write(uint64(c), width)
	}
}

// zeros appends n zero bits.
func (w *bitWriter) zeros(n uint) {
	for ; n > 32; n -= 32 {
		w.write(0, 32)
	}
	w.write(0, n)
}

// flush pads the last byte with zero bits and returns all bytes.
func (w *bitWriter) flush() []byte {
	for n := uint(0); n < w.fill; n += 8 {
		w.b = append(w.b, byte(w.acc>>n))
	}
	w.acc, w.fill = 0, 0
	return w.b
}

// bitReader takes bits from bytes, least significant bit first. After the last byte
// it delivers zeros and sets short.
type bitReader struct {
	b     []byte
	acc   uint64
	fill  uint
	short bool
}

// need fills acc with at least n bits, n <= 56.
func (r *bitReader) need(n uint) {
	for r.fill < n {
		if len(r.b) == 0 {
			r.short = true
			r.fill = n
			return
		}
		r.acc |= uint64(r.b[0]) << r.fill
		r.b = r.b[1:]
		r.fill += 8
	}
}

// read takes n bits, n <= 32.
func (r *bitReader) read(n uint) uint {
	r.need(n)
	v := r.acc & (1<<n - 1)
	r.acc >>= n
	r.fill -= n
	return uint(v)
}

// unary takes zero bits up to and including a one bit and returns how many zeros
// there were, or limit+1 as soon as there are more than limit.
func (r *bitReader) unary(limit uint) uint {
	count := uint(0)
	for count <= limit && !r.short {
		r.need(1)
		if z := uint(bits.TrailingZeros64(r.acc)); z < r.fill {
			r.acc >>= z + 1
			r.fill -= z + 1
			return min(count+z, limit+1)
		}
		count += r.fill
		r.acc, r.fill = 0, 0
	}
	return limit + 1
}

// rest ends the last byte, whose unread bits must be zero, and returns what follows.
func (r *bitReader) rest() (after []byte, ok bool) {
	return r.b, r.acc == 0 && r.fill < 8 && !r.short
}
