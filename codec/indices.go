package codec

import "math/bits"

// riceBits is the width of the field that holds a chunk's Rice parameter.
const riceBits = 4

// writeIndices codes ascending indices as Rice-coded gaps (spec/codec, "Indices"):
// what is coded is the number of positions skipped, so that neither a duplicate nor
// disorder can be expressed.
func writeIndices(b []byte, index []uint16) []byte {
	rice := riceParameter(index)
	w := bitWriter{b: b}
	w.write(uint64(rice), riceBits)
	next := uint(0)
	for _, i := range index {
		skipped := uint(i) - next
		w.zeros(skipped >> rice)
		w.write(1, 1)
		w.write(uint64(skipped&(1<<rice-1)), rice)
		next = uint(i) + 1
	}
	return w.flush()
}

// riceParameter returns the parameter that gives the fewest bits.
func riceParameter(index []uint16) uint {
	best, fewest := uint(0), ^uint(0)
	last := uint(index[len(index)-1])
	for rice := range min(uint(bits.Len(last)), 1<<riceBits-1) + 1 {
		total, next := uint(len(index))*(1+rice), uint(0)
		for _, i := range index {
			total += (uint(i) - next) >> rice
			next = uint(i) + 1
		}
		if total < fewest {
			best, fewest = rice, total
		}
	}
	return best
}

type indexFault uint8

const (
	indexOK indexFault = iota
	indexOutside
	indexMalformed
)

// readIndices reads n indices below size into index[:0] and returns what follows.
func readIndices(index []uint16, b []byte, n, size int) ([]uint16, []byte, indexFault) {
	r := bitReader{b: b}
	rice := r.read(riceBits)
	next := uint(0)
	for range n {
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
