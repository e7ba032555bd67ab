package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"templar/protocol"
)

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

// SparseWriter codes the sparse records of a piece: some chunks one after the other. The
// divisor of its indices follows from all of them, so that nothing is written before Piece.
// The zero value with Levels set is ready.
type SparseWriter struct {
	Levels Levels

	chunks []sparseChunk
	index  []uint16
	code   []byte
	read   []float32
	gaps   [maxSparseSize]uint32 // how many indices are so far behind the one before, for divisor; zero between pieces
}

// sparseChunk is a record that waits for Piece.
type sparseChunk struct {
	size, keep int
	count      int
	high, low  uint32 // codes of the magnitudes
}

// Add takes a chunk of size values, of which those at index, ascending, are not zero. At most keep
// are, and they are below tooGreat. What rounds to zero is left out. It returns the values as
// readers will see them, with their indices; both are valid until the next call.
func (w *SparseWriter) Add(size, keep int, index []uint16, value []float32) (sent []uint16, read []float32) {
	c := sparseChunk{size: size, keep: keep}
	largest := float32(0)
	for _, v := range value {
		largest = max(largest, abs(v))
	}
	at := len(w.index)
	if largest >= tooFaint {
		switch w.Levels {
		case Levels1, Levels2:
			w.twoLevels(&c, value)
			w.index = append(w.index, index...)
		default:
			w.evenLevels(&c, largest, index, value)
		}
	}
	sent = w.index[at:]
	c.count = len(sent)
	w.chunks = append(w.chunks, c)
	w.read = slices.Grow(w.read[:0], c.count)[:c.count]
	w.Levels.decode(w.read, w.code[at:], c.high, c.low)
	return sent, w.read
}

// twoLevels chooses the magnitudes by Lloyd's algorithm (Lloyd 1982; one of two means), from the
// mean on, and a code for each value.
func (w *SparseWriter) twoLevels(c *sparseChunk, value []float32) {
	const rounds = 4
	sum := float32(0)
	for _, v := range value {
		sum += abs(v)
	}
	high := sum / float32(len(value))
	low := high
	if w.Levels == Levels2 {
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
		if w.Levels == Levels2 && abs(v) >= border {
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

// evenLevels rounds values to the nearest level; ties go to the even one.
func (w *SparseWriter) evenLevels(c *sparseChunk, largest float32, index []uint16, value []float32) {
	c.high = magnitudeOf(largest, true)
	levels := 1 << (w.Levels - 1)
	step := magnitude(c.high) / float32(levels)
	for i, v := range value {
		n := int(math.RoundToEven(float64(abs(v) / step)))
		if n == 0 {
			continue
		}
		w.code = append(w.code, byte(min(n, levels)-1)<<1|byte(math.Float32bits(v)>>31))
		w.index = append(w.index, index[i])
	}
}

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

// Piece appends the records that were added since the last call, padded to a byte.
func (w *SparseWriter) Piece(dst []byte) []byte {
	divisor, size := w.divisor()
	g := newGolomb(divisor)
	size += uint(len(w.code))*uint(w.Levels) + uint(len(w.chunks))*(1+divisorBits+magnitudeBits+ratioBits)
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

func (w *SparseWriter) record(b *bitWriter, c sparseChunk, index []uint16, code []byte, g golomb) {
	if c.count == c.keep {
		b.write(1, 1)
	} else {
		b.write(uint64(c.count)<<1, 1+uint(bits.Len(uint(c.keep-1))))
	}
	if c.count == 0 {
		return
	}
	b.write(uint64(c.high), magnitudeBits)
	if w.Levels == Levels2 {
		b.write(uint64(c.low), ratioBits)
	}
	g.write(b, index)
	per := 32 / int(w.Levels)
	for len(code) > 0 {
		n, word := min(per, len(code)), uint64(0)
		for i, c := range code[:n] {
			word |= uint64(c) << (i * int(w.Levels))
		}
		b.write(word, uint(n)*uint(w.Levels))
		code = code[n:]
	}
}

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

// write codes the gaps before indices. Which of the two lengths a rest has is about even: no branch depends on it.
func (g golomb) write(b *bitWriter, index []uint16) {
	if g.width == 0 { // all gaps are zero, or unary
		g.writeUnary(b, index)
		return
	}
	b.b = slices.Grow(b.b, roomForIndices(len(index)))
	// The writer's state is in registers meanwhile.
	dst, acc, fill := b.b[len(b.b):cap(b.b)], b.acc, b.fill
	start, width := len(b.b), (g.width-1)&63
	at, next := 0, uint(0)
	for _, i := range index {
		n := uint(i) - next
		next = uint(i) + 1
		quotient := uint(uint64(n) * g.inverse >> 32)
		rest := n - quotient*g.divisor
		long := uint(int(g.short-1-rest) >> 63) // all ones for a rest of width+1 bits
		rest += g.short & long
		turned := rest>>1 | rest&1<<width // the upper bits come first, so that a reader knows whether another one follows
		code := rest ^ (rest^turned)&long
		size := quotient + 1 + width + long&1
		for ; size > 56; size, quotient = size-32, quotient-32 {
			binary.LittleEndian.PutUint64(dst[at:], acc)
			at, acc, fill = at+int(fill+32)/8, acc>>((fill+32)&56), fill&7
		}
		acc |= uint64(code<<1|1) << ((quotient + fill) & 63)
		fill += size
		binary.LittleEndian.PutUint64(dst[at:], acc)
		at, acc, fill = at+int(fill/8), acc>>(fill&56), fill&7
	}
	b.b, b.acc, b.fill = b.b[:start+at], acc, fill
}

func (g golomb) writeUnary(b *bitWriter, index []uint16) {
	next := uint(0)
	for _, i := range index {
		b.zeros(uint(i) - next)
		b.write(1, 1)
		next = uint(i) + 1
	}
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

// divisor returns a divisor that gives few bits, and how many: the best of some around the one for gaps that are
// distributed geometrically.
func (w *SparseWriter) divisor() (best, fewest uint) {
	total, at, longest := 0, 0, 0
	for _, c := range w.chunks {
		next := uint16(0)
		for _, i := range w.index[at:][:c.count] {
			gap := i - next
			w.gaps[gap%maxSparseSize]++
			total += int(gap)
			longest = max(longest, int(gap))
			next = i + 1
		}
		at += c.count
	}
	if at == 0 {
		return 1, 0
	}
	gaps := w.gaps[:longest+1]
	mean := float64(total) / float64(at)
	best, fewest = 1, math.MaxUint
	for _, share := range []float64{0.3, 0.45, 0.55, 0.62, 0.69, 0.78} {
		d := uint(min(max(float64(share*mean)+0.5, 1), 1<<divisorBits))
		if n := newGolomb(d).sizes(gaps); n < fewest {
			best, fewest = d, n
		}
	}
	clear(gaps)
	return best, fewest
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

// SparseReader reads the records of a piece that came from another node. A record's index and
// value are valid until the next one is read.
type SparseReader struct {
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

// NewSparseReader returns a reader; Piece gives it what to read. It panics when levels is not Valid.
func NewSparseReader(levels Levels) *SparseReader {
	if !levels.Valid() {
		panic(fmt.Sprintf("codec: sparse values of %d bits", levels))
	}
	return &SparseReader{levels: levels, index: make([]uint16, 0, maxSparseSize), value: make([]float32, 0, maxSparseSize)}
}

// Piece begins to read b, which stays the caller's and must not change meanwhile.
func (r *SparseReader) Piece(b []byte) protocol.Verdict {
	r.b, r.at, r.end = b, 0, 8*uint(len(b))
	r.divisor = uint(r.take(divisorBits)) + 1
	r.width = uint(bits.Len(r.divisor - 1))
	r.short = uint(1)<<r.width - r.divisor
	if r.at > r.end {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

// End reports whether the piece has been read to its last byte, whose unused bits are zero.
func (r *SparseReader) End() protocol.Verdict {
	if r.at > r.end || r.end-r.at >= 8 || (r.window()<<(64-(r.end-r.at)) != 0 && r.end > r.at) {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

// window returns the bits from here on, at least 56 of them, zeros behind the end.
func (r *SparseReader) window() uint64 {
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

func (r *SparseReader) take(n uint) uint64 {
	v := r.window() & (1<<n - 1)
	r.at += n
	return v
}

// Next reads the record of a chunk of size values, at most 4096, of which at most keep are not zero.
// The verdict is malformed, bad-index or non-finite when the record is not in order.
func (r *SparseReader) Next(size, keep int) (index []uint16, value []float32, v protocol.Verdict) {
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
	r.values(high, low)
	return r.index, r.value, r.within()
}

func (r *SparseReader) within() protocol.Verdict {
	if r.at > r.end {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

func (r *SparseReader) indices(size uint) protocol.Verdict {
	longest := size / r.divisor
	first, next := r.quick(size)
	if next > size {
		return protocol.VerdictBadIndex
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

// quick reads gaps as long as eight more bytes are there and a code is within a window, and returns how many, and the lowest index that the next one can
// have; more than size when an index was too large. No branch depends on the length of a rest.
func (r *SparseReader) quick(size uint) (count int, next uint) {
	if r.width == 0 || len(r.b) < 8 {
		return 0, 0
	}
	at, b, index := r.at, r.b, r.index
	divisor, width, short := r.divisor, (r.width-1)&63, r.short
	low, last := uint(1)<<width-1, uint(len(b)-8)
	for ; count < len(index) && at/8 <= last; count++ {
		w := uint(binary.LittleEndian.Uint64(b[at/8:][:8]) >> (at & 7))
		quotient := uint(bits.TrailingZeros64(uint64(w)))
		if quotient+width > 54 {
			break
		}
		w >>= (quotient + 1) & 63
		rest := w & low
		long := uint(int(short-1-rest) >> 63) // all ones for a rest of width+1 bits
		rest += (rest + w>>width&1 - short) & long
		at += quotient + 1 + width + long&1
		if next += quotient*divisor + rest; next >= size {
			return count, size + 1
		}
		index[count] = uint16(next)
		next++
	}
	r.at = at
	return count, next
}

// unary takes zero bits and the one bit behind them, and returns how many zeros there were, or more than
// limit as soon as there are.
func (r *SparseReader) unary(limit uint) uint {
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

func (r *SparseReader) values(high, low uint32) {
	per := uint(56) / uint(r.levels)
	mask := uint64(1)<<r.levels - 1
	step := magnitude(high) / float32(uint(1)<<(r.levels-1)) // exact
	var table [4]float32
	if r.levels <= Levels2 {
		for code := range table {
			table[code] = r.levels.value(byte(code), high, low)
		}
	}
	for at := 0; at < len(r.value); {
		n := min(int(per), len(r.value)-at)
		w := r.take(uint(n) * uint(r.levels))
		if r.levels <= Levels2 {
			for i := range r.value[at : at+n] {
				r.value[at+i] = table[w&mask]
				w >>= r.levels
			}
		} else {
			for i := range r.value[at : at+n] {
				v := float32(w>>1&(mask>>1)+1) * step
				r.value[at+i] = math.Float32frombits(math.Float32bits(v) | uint32(w&1)<<31)
				w >>= r.levels
			}
		}
		at += n
	}
}
