package codec

import (
	"math/bits"
	"slices"

	"templar/internal/kernel"
)

// riceBits is the width of the field that holds a chunk's Rice parameter.
const riceBits = 4

// writeIndices codes ascending indices as Rice-coded gaps (spec/dctsign, "Indices"):
// what is coded is the number of positions skipped, so that neither a duplicate nor
// disorder can be expressed.
func writeIndices(b []byte, index []uint16) []byte {
	rice := riceParameter(index)
	w := bitWriter{b: b}
	w.write(uint64(rice), riceBits)
	next := uint(0)
	for _, i := range index {
		skipped := uint(i) - next
		quotient, rest := skipped>>rice, uint64(skipped&(1<<rice-1))
		if quotient > 15 {
			w.zeros(quotient)
			quotient = 0
		}
		w.write((1|rest<<1)<<quotient, quotient+1+rice)
		next = uint(i) + 1
	}
	return w.flush()
}

// riceParameter returns the parameter that gives the fewest bits, the lowest of them
// if there are several. What a higher one saves shrinks with each step, so that the
// first step that saves nothing ends the search.
func riceParameter(index []uint16) uint {
	best, fewest := uint(0), riceBitsOf(index, 0)
	guess := uint(bits.Len(uint(index[len(index)-1]) / uint(len(index))))
	if guess > 2 { // begin below the usual place
		if at := riceBitsOf(index, guess-2); at < fewest {
			best, fewest = guess-2, at
		}
	}
	for best > 0 {
		at := riceBitsOf(index, best-1)
		if at > fewest {
			break
		}
		best, fewest = best-1, at
	}
	for best < 1<<riceBits-1 {
		at := riceBitsOf(index, best+1)
		if at >= fewest {
			break
		}
		best, fewest = best+1, at
	}
	return best
}

// riceBitsOf is how many bits the indices take with a parameter.
func riceBitsOf(index []uint16, rice uint) uint {
	total, next := uint(len(index))*(1+rice), uint(0)
	for _, i := range index {
		total += (uint(i) - next) >> (rice & 15)
		next = uint(i) + 1
	}
	return total
}

type indexFault uint8

const (
	indexOK indexFault = iota
	indexOutside
	indexMalformed
)

// readIndices reads n indices below size into index[:0] and returns what follows.
func readIndices(index []uint16, b []byte, n, size int) ([]uint16, []byte, indexFault) {
	if len(b) == 0 {
		return index, nil, indexMalformed
	}
	rice := uint(b[0] & (1<<riceBits - 1))
	index = slices.Grow(index[:0], n)[:n]
	read, at, next := kernel.ReadGaps(index, b, rice, riceBits, 0, uint(size))
	if read < n {
		r := bitReader{b: b[at/8:]}
		r.read(at % 8)
		return r.indices(index[:read], n, size, rice, next)
	}
	if at%8 != 0 && b[at/8]>>(at%8) != 0 {
		return index, nil, indexMalformed
	}
	return index, b[(at+7)/8:], indexOK
}

// indices reads what is left of n indices, bit by bit if it must.
func (r *bitReader) indices(index []uint16, n, size int, rice, next uint) ([]uint16, []byte, indexFault) {
	for len(index) < n {
		quotient := r.unary(uint(size) >> rice)
		at := next + quotient<<rice + r.read(rice)
		if r.short {
			return index, nil, indexMalformed
		}
		if at >= uint(size) {
			return index, nil, indexOutside
		}
		index = append(index, uint16(at))
		next = at + 1
	}
	after, ok := r.rest()
	if !ok {
		return index, nil, indexMalformed
	}
	return index, after, indexOK
}
