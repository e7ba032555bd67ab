package codec

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// golomb codes numbers as their quotient by the divisor, unary, and the rest in truncated binary
// (Golomb 1966; Gallager and van Voorhis 1975).
type golomb struct {
	divisor, width, short uint   // so many rests take a bit less
	inverse               uint64 // of the divisor, times 2^32: exact for numbers below 2^13 and divisors up to as much
}

func newGolomb(divisor uint) golomb {
	width := uint(bits.Len(divisor - 1))
	return golomb{divisor, width, 1<<width - divisor, 1<<32/uint64(divisor) + 1}
}

// roomForIndices is how many bytes n indices of a chunk take at most, and a word beyond: the quotients of all gaps add up to no more than the chunk's size.
func roomForIndices(n int) int { return maxSparseSize/8 + 2*n + 8 }

// gapCodes has the codes of gaps: in the low byte how many bits, above it the bits. An entry of tooLong stands for a code of more than maxCode.
type gapCodes [maxSparseSize]uint64

const (
	maxCode = 56
	tooLong = 255
)

// set computes the code of every gap that occurs.
func (t *gapCodes) set(g golomb, count []uint32) {
	for n, times := range count {
		if times == 0 {
			continue
		}
		if size := g.size(uint(n)); size > maxCode {
			t[n] = tooLong
		} else {
			quotient, rest := g.split(uint(n))
			t[n] = (rest<<1|1)<<quotient<<8 | uint64(size)
		}
	}
}

// split returns the quotient of n and the bits of its rest.
func (g golomb) split(n uint) (quotient uint, rest uint64) {
	quotient = uint(uint64(n) * g.inverse >> 32)
	r := uint64(n - quotient*g.divisor)
	if r < uint64(g.short) {
		return quotient, r
	}
	r += uint64(g.short)
	return quotient, r>>1 | r&1<<(g.width-1) // the upper bits come first, so that a reader knows whether another one follows
}

// write codes the gaps before indices, all of which t has.
func (t *gapCodes) write(b *bitWriter, g golomb, index []uint16) {
	b.b = slices.Grow(b.b, roomForIndices(len(index)))
	next := uint16(0)
	for len(index) > 0 {
		var count int
		count, next = t.quick(b, index, next)
		if index = index[count:]; len(index) == 0 {
			return
		}
		gap := uint(index[0] - next)
		code := t[gap%maxSparseSize]
		if code == tooLong {
			quotient, rest := g.split(gap)
			b.zeros(quotient)
			b.write(rest<<1|1, g.size(gap)-quotient)
		} else {
			b.write(code>>8, uint(code&255))
		}
		next, index = index[0]+1, index[1:]
	}
}

// quick writes four codes at a time, as long as they fit in a word, and returns how many indices that were, and the least one that can follow. There is
// room for all.
func (t *gapCodes) quick(b *bitWriter, index []uint16, next uint16) (count int, after uint16) {
	// The writer's state is in registers meanwhile.
	dst, acc, fill := b.b[len(b.b):cap(b.b)], b.acc, b.fill
	at := 0
	for ; count+4 <= len(index); count += 4 {
		four := (*[4]uint16)(index[count:])
		c0, c1 := t[(four[0]-next)%maxSparseSize], t[(four[1]-four[0]-1)%maxSparseSize]
		c2, c3 := t[(four[2]-four[1]-1)%maxSparseSize], t[(four[3]-four[2]-1)%maxSparseSize]
		s0, s2 := c0&255, c2&255
		s1 := s0 + c1&255
		size := uint(s1 + s2 + c3&255)
		if size > maxCode {
			break
		}
		code := c0>>8 | c1>>8<<(s0&63) | (c2>>8|c3>>8<<(s2&63))<<(s1&63)
		acc |= code << (fill & 7)
		fill += size
		binary.LittleEndian.PutUint64(dst[at:], acc)
		at, acc, fill = at+int(fill/8), acc>>(fill&56), fill&7
		next = four[3] + 1
	}
	b.b, b.acc, b.fill = b.b[:len(b.b)+at], acc, fill
	return count, next
}

// size is how many bits n takes.
func (g golomb) size(n uint) uint {
	quotient := uint(uint64(n) * g.inverse >> 32)
	size := quotient + 1 + g.width
	if n-quotient*g.divisor < g.short {
		size--
	}
	return size
}

// sizes is how many bits it takes to write each number n as often as count[n] says.
func (g golomb) sizes(count []uint32) (total uint) {
	for n, times := range count {
		if times > 0 {
			total += uint(times) * g.size(uint(n))
		}
	}
	return total
}
