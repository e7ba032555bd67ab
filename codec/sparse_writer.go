package codec

import (
	"math"
	"math/bits"
	"slices"

	"templar/internal/kernel"
)

// sparseWriter codes the records of a piece: some chunks one after the other. The divisor of its indices follows
// from all of them, so that nothing is written before piece. The zero value with levels set is ready.
type sparseWriter struct {
	levels Levels

	chunks []sparseChunk
	index  []uint16
	code   []byte
	read   []float32
	gaps   [maxSparseSize]uint32 // how many indices are so far behind the one before; zero between pieces
	odd    [maxSparseSize]uint32 // every second one of a chunk's, while they are counted
	codes  gapCodes              // of the gaps that are there
}

// sparseChunk is a record that waits for piece.
type sparseChunk struct {
	keep, count int
	high, low   uint32 // codes of the magnitudes
}

// add takes a chunk whose values at index, ascending, are not zero. At most keep are, and they are below tooGreat. What rounds to zero is
// left out.
func (w *sparseWriter) add(keep int, index []uint16, value []float32) {
	largest := float32(0)
	for _, v := range value {
		largest = max(largest, abs(v))
	}
	w.addMean(keep, index, value, largest, 1)
}

// addMean is add for the values sum/peers, with the largest magnitude of sum. More than one peer have four or eight bits a value.
func (w *sparseWriter) addMean(keep int, index []uint16, sum []float32, largest float32, peers int) {
	c := sparseChunk{keep: keep}
	at := len(w.index)
	if largest /= float32(peers); largest >= tooFaint { // no other quotient is larger
		switch w.levels {
		case Levels1, Levels2:
			w.twoLevels(&c, sum)
			w.index = append(w.index, index...)
		default:
			w.evenLevels(&c, largest, index, sum, float32(peers))
		}
	}
	c.count = len(w.index) - at
	w.chunks = append(w.chunks, c)
}

// last returns the chunk that was added last as readers will see it. Both slices are valid until the next call.
func (w *sparseWriter) last() (index []uint16, value []float32) {
	c := w.chunks[len(w.chunks)-1]
	at := len(w.index) - c.count
	w.read = slices.Grow(w.read[:0], c.count)[:c.count]
	w.levels.decode(w.read, w.code[at:], c.high, c.low)
	return w.index[at:], w.read
}

// twoLevels chooses the magnitudes by Lloyd's algorithm (Lloyd 1982; one of two means), from the
// mean on, and a code for each value.
func (w *sparseWriter) twoLevels(c *sparseChunk, value []float32) {
	const rounds = 4
	sum := float32(0)
	for _, v := range value {
		sum += abs(v)
	}
	high := sum / float32(len(value))
	low := high
	if w.levels == Levels2 {
		border := high
		for range rounds {
			above, below, count := split(value, border)
			if count == len(value) {
				high, low = above/float32(count), above/float32(count)
				break
			}
			high, low = above/float32(max(count, 1)), below/float32(len(value)-count)
			border = (high + low) / 2
		}
	}
	high = max(high, tooFaint)
	c.high = magnitudeOf(high, false)
	high = magnitude(c.high)
	c.low = uint32(min(max(math.RoundToEven(float64(low/high)*(1<<ratioBits)), 1), 1<<ratioBits)) - 1
	border := (high + high*float32(c.low+1)/(1<<ratioBits)) / 2
	for _, v := range value {
		code := byte(math.Float32bits(v) >> 31)
		if w.levels == Levels2 && abs(v) >= border {
			code |= 2
		}
		w.code = append(w.code, code)
	}
}

// split adds up the magnitudes from border on, which is positive and finite, and those below it, and counts the former. No branch depends on
// a value; adding a zero changes no sum.
func split(value []float32, border float32) (above, below float32, count int) {
	least := int32(math.Float32bits(border))
	for _, v := range value {
		key := int32(math.Float32bits(v) &^ (1 << 31))
		under := (key - least) >> 31 // all ones, or none
		above += math.Float32frombits(uint32(key &^ under))
		below += math.Float32frombits(uint32(key & under))
		count += int(1 + under)
	}
	return above, below, count
}

// evenLevels rounds value/by to the nearest level; ties go to the even one.
func (w *sparseWriter) evenLevels(c *sparseChunk, largest float32, index []uint16, value []float32, by float32) {
	c.high = magnitudeOf(largest, true)
	levels, at := 1<<(w.levels-1), len(w.index)
	w.index, w.code = slices.Grow(w.index, len(index)), slices.Grow(w.code, len(index))
	kept := kernel.Round(w.index[at:at+len(index)], w.code[at:at+len(index)], index, value, by, magnitude(c.high)/float32(levels), levels)
	w.index, w.code = w.index[:at+kept], w.code[:at+kept]
}

// piece appends the records that were added since the last call, padded to a byte.
func (w *sparseWriter) piece(dst []byte) []byte {
	longest := w.count()
	g, size := w.divisor(longest)
	w.codes.set(g, w.gaps[:longest+1])
	clear(w.gaps[:longest+1])
	size += uint(len(w.code))*uint(w.levels) + uint(len(w.chunks))*(1+divisorBits+magnitudeBits+ratioBits)
	b := bitWriter{b: slices.Grow(dst, int(size/8)+roomForIndices(maxSparseSize))}
	b.write(uint64(g.divisor-1), divisorBits)
	index, code := w.index, w.code
	for _, c := range w.chunks {
		w.record(&b, c, index[:c.count], code[:c.count], g)
		index, code = index[c.count:], code[c.count:]
	}
	w.chunks, w.index, w.code = w.chunks[:0], w.index[:0], w.code[:0]
	return b.flush()
}

func (w *sparseWriter) record(b *bitWriter, c sparseChunk, index []uint16, code []byte, g golomb) {
	if c.count == c.keep {
		b.write(1, 1)
	} else {
		b.write(uint64(c.count)<<1, 1+uint(bits.Len(uint(c.keep-1))))
	}
	if c.count == 0 {
		return
	}
	b.write(uint64(c.high), magnitudeBits)
	if w.levels == Levels2 {
		b.write(uint64(c.low), ratioBits)
	}
	w.codes.write(b, g, index)
	b.pack(code, uint(w.levels))
}

// count fills gaps, and returns the longest one. Gaps of the same length follow one another often: two tables in turn keep a count from
// waiting for the one before.
func (w *sparseWriter) count() (longest int) {
	odd, index := &w.odd, w.index
	for _, c := range w.chunks {
		next := uint16(0)
		for i, at := range index[:c.count] {
			gap := (at - next) % maxSparseSize
			if i&1 == 0 {
				w.gaps[gap]++
			} else {
				odd[gap]++
			}
			next = at + 1
		}
		index = index[c.count:]
	}
	for n, times := range odd {
		if w.gaps[n] += times; w.gaps[n] > 0 {
			longest = n
		}
	}
	clear(odd[:])
	return longest
}

// divisor returns the code of the divisor that gives the fewest bits of some around the one for gaps that are distributed geometrically, and how
// many bits.
func (w *sparseWriter) divisor(longest int) (best golomb, fewest uint) {
	gaps := w.gaps[:longest+1]
	total, count := 0, len(w.index)
	for n, times := range gaps {
		total += n * int(times)
	}
	if count == 0 {
		return newGolomb(1), 0
	}
	mean := float64(total) / float64(count)
	fewest = math.MaxUint
	for _, share := range []float64{0.3, 0.45, 0.55, 0.62, 0.69, 0.78} {
		g := newGolomb(uint(min(max(float64(share*mean)+0.5, 1), 1<<divisorBits)))
		if n := g.sizes(gaps); n < fewest {
			best, fewest = g, n
		}
	}
	return best, fewest
}
