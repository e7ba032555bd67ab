package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"templar/internal/kernel"
	"templar/protocol"
)

// sparseReader reads the records of a piece that came from another node. A record's index and
// value are valid until the next one is read.
type sparseReader struct {
	levels  Levels
	b       []byte
	at      uint // bit
	end     uint
	divisor uint
	width   uint
	short   uint
	index   []uint16
	value   []float32
}

// newSparseReader returns a reader; piece gives it what to read. It panics when levels is not Valid.
func newSparseReader(levels Levels) *sparseReader {
	if !levels.Valid() {
		panic(fmt.Sprintf("codec: sparse values of %d bits", levels))
	}
	return &sparseReader{levels: levels, index: make([]uint16, 0, maxSparseSize), value: make([]float32, 0, maxSparseSize)}
}

// piece begins to read b, which stays the caller's and must not change meanwhile.
func (r *sparseReader) piece(b []byte) protocol.Verdict {
	r.b, r.at, r.end = b, 0, 8*uint(len(b))
	r.divisor = uint(r.take(divisorBits)) + 1
	r.width = uint(bits.Len(r.divisor - 1))
	r.short = uint(1)<<r.width - r.divisor
	if r.at > r.end {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

// finish reports whether the piece has been read to its last byte, whose unused bits are zero.
func (r *sparseReader) finish() protocol.Verdict {
	if r.at > r.end || r.end-r.at >= 8 || (r.window()<<(64-(r.end-r.at)) != 0 && r.end > r.at) {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

// window returns the bits from here on, at least 56 of them, zeros behind the end.
func (r *sparseReader) window() uint64 {
	at := r.at / 8
	if at+8 <= uint(len(r.b)) {
		return binary.LittleEndian.Uint64(r.b[at:]) >> (r.at % 8)
	}
	var last [8]byte
	if at < uint(len(r.b)) {
		copy(last[:], r.b[at:])
	}
	return binary.LittleEndian.Uint64(last[:]) >> (r.at % 8)
}

func (r *sparseReader) take(n uint) uint64 {
	v := r.window() & (1<<n - 1)
	r.at += n
	return v
}

// next reads the record of a chunk of size values, at most 4096, of which at most keep are not zero. The verdict is malformed, bad-index or
// non-finite when the record is not in order.
func (r *sparseReader) next(size, keep int) (index []uint16, value []float32, v protocol.Verdict) {
	return r.scaled(size, keep, 1)
}

// scaled is next with the values multiplied.
func (r *sparseReader) scaled(size, keep int, scale float32) (index []uint16, value []float32, v protocol.Verdict) {
	n := uint64(keep)
	if r.take(1) == 0 {
		if n = r.take(uint(bits.Len(uint(keep - 1)))); n >= uint64(keep) {
			return nil, nil, protocol.VerdictMalformed
		}
	}
	if n == 0 {
		return nil, nil, r.within()
	}
	high, low := uint32(r.take(magnitudeBits)), uint32(0)
	if r.levels == Levels2 {
		low = uint32(r.take(ratioBits))
	}
	if magnitude(high) >= tooGreat || high>>4 == 255 {
		return nil, nil, protocol.VerdictNonFinite
	}
	if magnitude(high) < tooFaint {
		return nil, nil, protocol.VerdictMalformed
	}
	// At least one bit an index: a count that the bytes cannot hold is refused before it is used.
	if r.at+uint(n)*(1+uint(r.levels)) > r.end {
		return nil, nil, protocol.VerdictMalformed
	}
	r.index, r.value = slices.Grow(r.index[:0], int(n))[:n], slices.Grow(r.value[:0], int(n))[:n]
	if v := r.indices(uint(size)); !v.OK() {
		return nil, nil, v
	}
	if r.at+uint(n)*uint(r.levels) > r.end {
		return nil, nil, protocol.VerdictMalformed
	}
	r.values(high, low, scale)
	return r.index, r.value, protocol.VerdictOK
}

func (r *sparseReader) within() protocol.Verdict {
	if r.at > r.end {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

func (r *sparseReader) indices(size uint) protocol.Verdict {
	longest := size / r.divisor
	first, next := 0, uint(0)
	if r.width > 0 {
		first, r.at, next = kernel.ReadGolomb(r.index, r.b, r.divisor, r.at, 0, size)
	}
	for i := first; i < len(r.index); i++ {
		w := r.window()
		quotient := uint(bits.TrailingZeros64(w | 1<<55))
		switch {
		case quotient == 55: // longer than a window
			quotient = r.unary(longest)
			w = r.window()
		case quotient+1+r.width <= 56: // all of it is in the window
			w >>= quotient + 1
			r.at += quotient + 1
		default:
			r.at += quotient + 1
			w = r.window()
		}
		rest := uint(0)
		if r.width > 0 {
			rest = uint(w & (1<<(r.width-1) - 1))
			r.at += r.width - 1
			if rest >= r.short {
				rest = rest<<1 + uint(w>>(r.width-1)&1) - r.short
				r.at++
			}
		}
		next += quotient*r.divisor + rest
		if next >= size {
			return protocol.VerdictBadIndex
		}
		r.index[i] = uint16(next)
		next++
	}
	return r.within()
}

// unary takes zero bits and the one bit behind them, and returns how many zeros there were, or more than
// limit as soon as there are.
func (r *sparseReader) unary(limit uint) uint {
	count := uint(0)
	for count <= limit && r.at < r.end {
		if z := uint(bits.TrailingZeros64(r.window() | 1<<55)); z < 55 {
			r.at += z + 1
			return count + z
		}
		count += 55
		r.at += 55
	}
	return limit + 1
}

// values reads a code for each index.
func (r *sparseReader) values(high, low uint32, scale float32) {
	if r.levels <= Levels2 {
		var table [4]float32
		for code := range table {
			table[code] = r.levels.value(byte(code), high, low) * scale
		}
		kernel.Unpack(r.value, r.b, r.at, uint(r.levels), &table)
		r.at += uint(len(r.value)) * uint(r.levels)
		return
	}
	per := 56 / int(r.levels)
	mask := uint64(1)<<r.levels - 1
	step := magnitude(high) / float32(uint(1)<<(r.levels-1)) // exact
	for at := 0; at < len(r.value); at += per {
		value := r.value[at:min(at+per, len(r.value))]
		w := r.take(uint(len(value)) * uint(r.levels))
		for i := range value {
			v := float32(w>>1&(mask>>1)+1) * step * scale
			value[i] = math.Float32frombits(math.Float32bits(v) | uint32(w&1)<<31)
			w >>= r.levels & 63
		}
	}
}
