package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"slices"

	"templar/internal/kernel"
	"templar/protocol"
	"templar/state"
)

// SparseSpec are the run parameters of sparse compression.
type SparseSpec struct {
	TargetChunk int    // largest side of a chunk, 1 to 64
	TopK        int    // values kept of a chunk of TargetChunk^2; smaller ones keep as many in proportion, at least one
	Levels      Levels // of a gradient's values
	Update      Levels // of an update's values: Levels4 or Levels8
	MaxPeers    int    // gradients that an update is made of, at most
}

// Sparse compresses without a transform: the largest values of each chunk in few bits, and their mean over
// peers (SparseLoCo, Sarfi et al. 2025, sections 3 and 4). It is immutable and safe for concurrent use.
//
// What changes parameters (Read, Mean, ReadUpdate, Apply) gives the same bits on every architecture and for every
// number of workers (docs/spec/sparse.md).
type Sparse struct {
	grid *Codec
	spec SparseSpec
}

// NewSparse checks the tensor table and cuts it into chunks.
func NewSparse(layout protocol.Layout, s SparseSpec) (*Sparse, error) {
	switch {
	case s.TargetChunk < 1 || s.TargetChunk > 64:
		return nil, fmt.Errorf("sparse: target_chunk is %d: must be in [1, 64]", s.TargetChunk)
	case s.TopK < 1 || s.TopK > s.TargetChunk*s.TargetChunk:
		return nil, fmt.Errorf("sparse: topk is %d: must be in [1, %d]", s.TopK, s.TargetChunk*s.TargetChunk)
	case !s.Levels.Valid():
		return nil, fmt.Errorf("sparse: value_bits is %d: must be 1, 2, 4 or 8", s.Levels)
	case s.Update != Levels4 && s.Update != Levels8:
		return nil, fmt.Errorf("sparse: update_bits is %d: must be 4 or 8", s.Update)
	case s.MaxPeers < 1:
		return nil, fmt.Errorf("sparse: an update of %d peers: must be positive", s.MaxPeers)
	}
	grid, err := New(layout, Spec{TargetChunk: s.TargetChunk, TopK: s.TopK})
	if err != nil {
		return nil, err
	}
	whole := s.TargetChunk * s.TargetChunk
	for i := range grid.tensors {
		t := &grid.tensors[i]
		t.keep = max((s.TopK*t.chunk.Size()+whole/2)/whole, 1)
	}
	return &Sparse{grid: grid, spec: s}, nil
}

// Parallel returns a Sparse that does the same with so many workers at once: every result has the same
// bits.
func (c *Sparse) Parallel(n int, each func(n int, f func(i int))) *Sparse {
	return &Sparse{grid: c.grid.Parallel(n, each), spec: c.spec}
}

// Chunks is the number of chunks of all tensors.
func (c *Sparse) Chunks() int { return c.grid.chunks }

// LayoutHash identifies the tensor table together with the spec: bodies are readable only where it is the same.
func (c *Sparse) LayoutHash() protocol.Hash {
	b := []byte("templar sparse\x00")
	for _, n := range []int{c.spec.TargetChunk, c.spec.TopK, int(c.spec.Levels), int(c.spec.Update), c.spec.MaxPeers} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return sha256.Sum256(state.AppendTable(b, c.grid.layout))
}

// SparseGradient is the largest values of each chunk, in the form in which they stand on the wire. It is
// immutable.
type SparseGradient struct {
	sparseBody
	norm  float64
	count int
}

// Norm is the L2 norm of all values.
func (g *SparseGradient) Norm() float64 { return g.norm }

// Values is the number of values sent.
func (g *SparseGradient) Values() int { return g.count }

// SparseUpdate is the mean of gradients. It is immutable.
type SparseUpdate struct {
	sparseBody
	count int
	sum   float64
}

// Values is the number of parameters that the update moves.
func (u *SparseUpdate) Values() int { return u.count }

// MeanSize is the mean magnitude of the values; 0 when there are none.
func (u *SparseUpdate) MeanSize() float64 {
	if u.count == 0 {
		return 0
	}
	return u.sum / float64(u.count)
}

// sparseBody is a table of the pieces' sizes and the pieces.
type sparseBody struct {
	body   []byte
	starts []int // of the pieces, and the end of the last
}

// Bytes returns the body as it stands on the wire. The caller does not change it.
func (b *sparseBody) Bytes() []byte { return b.body }

func (b *sparseBody) piece(i int) []byte { return b.body[b.starts[i]:b.starts[i+1]] }

// bound returns the most bytes that a body of this writer takes, where a chunk keeps as many values as keep says. With the
// divisor that is next to ln 2 times the mean gap, an index takes at most 1/ln 2 + 1 bits and the width of the divisor.
func (c *Sparse) bound(levels Levels, keep func(*tensor) int) int64 {
	total := int64(0)
	for i := range c.grid.tensors {
		t := &c.grid.tensors[i]
		n := keep(t)
		total += int64(t.chunks()) * int64(1+16+magnitudeBits+ratioBits+n*(4+bits.Len(uint(t.chunk.Size()/n))+int(levels)))
	}
	return total/8 + int64(len(c.grid.pieces))*(4+4)
}

func keepOf(t *tensor) int { return t.keep }

// keepUpdate is how many values of a chunk an update can move.
func (c *Sparse) keepUpdate(t *tensor) int { return min(t.chunk.Size(), t.keep*c.spec.MaxPeers) }

// MaxBody bounds the size of a gradient's body in bytes.
func (c *Sparse) MaxBody() int64 { return c.bound(c.spec.Levels, keepOf) }

// MaxUpdate bounds the size of an update's body in bytes.
func (c *Sparse) MaxUpdate() int64 { return c.bound(c.spec.Update, c.keepUpdate) }

// Compress returns the largest values of each chunk of m, which is flat in the order of the layout; among equals those
// of lower index, and a zero never. It fails, naming the tensor, when m holds a value that is not finite, or of
// 2^100 and more.
func (c *Sparse) Compress(m []float32) (*SparseGradient, error) {
	g := c.grid
	if len(m) != g.parameters() {
		return nil, fmt.Errorf("compress: %d values, want %d", len(m), g.parameters())
	}
	parts, errs := make([]sparsePart, len(g.pieces)), make([]error, len(g.pieces))
	g.pool.Share(len(g.pieces), func(items iter.Seq[int]) {
		l, w, value := g.newTile(), &SparseWriter{Levels: c.spec.Levels}, make([]float32, 0, g.largest)
		for p := range items {
			for i, n := range g.chunksOf(g.pieces[p]) {
				t := &g.tensors[i]
				x := l.rows(t, m, n)
				index, ok := kernel.TopK(l.index[:0], x, t.keep, l.keys, l.found)
				value = value[:0]
				for _, at := range index {
					value = append(value, x[at])
					ok = ok && abs(x[at]) < tooGreat
				}
				if !ok {
					errs[p] = fmt.Errorf("compress: tensor %s: values are not finite or too large", t.Name)
					return
				}
				_, read := w.Add(t.chunk.Size(), t.keep, index, value)
				parts[p].add(read, addSquare)
			}
			parts[p].raw = w.Piece(nil)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	body, sum, count := joinSparse(parts)
	return &SparseGradient{sparseBody: body, norm: math.Sqrt(sum), count: count}, nil
}

// What is added up of a body's values: the norm of a gradient, and the mean size of an update.
func addSquare(sum float64, v float32) float64 { return sum + float64(float64(v)*float64(v)) }
func addSize(sum float64, v float32) float64   { return sum + math.Abs(float64(v)) }

// sparsePart is a piece that was written, and what readers will add up of it.
type sparsePart struct {
	raw   []byte
	sum   float64
	count int
}

func (p *sparsePart) add(read []float32, add func(float64, float32) float64) {
	p.count += len(read)
	sum := p.sum
	for _, v := range read {
		sum = add(sum, v)
	}
	p.sum = sum
}

// rows returns a chunk's values, row by row.
func (l *tile) rows(t *tensor, m []float32, chunk int) []float32 {
	at, w := t.at(chunk), t.chunk.Cols
	if t.chunk.Rows == 1 || t.cols == w {
		return m[at:][:t.chunk.Size()]
	}
	x := l.x[:t.chunk.Size()]
	var next kernel.Rows
	if chunk+1 < t.chunks() {
		next = t.rowsOf(m, chunk+1)
	}
	kernel.Collect(x, t.chunk.Rows, w, t.rowsOf(m, chunk), next)
	return x
}

// joinSparse makes a body of its pieces, with what Read or ReadUpdate would add up.
func joinSparse(parts []sparsePart) (b sparseBody, sum float64, count int) {
	size := 4 * len(parts)
	for i := range parts {
		size += len(parts[i].raw)
	}
	b.body, b.starts = make([]byte, 0, size), make([]int, 0, len(parts)+1)
	for i := range parts {
		b.body = binary.LittleEndian.AppendUint32(b.body, uint32(len(parts[i].raw)))
	}
	for _, p := range parts {
		b.starts = append(b.starts, len(b.body))
		b.body = append(b.body, p.raw...)
		sum, count = sum+p.sum, count+p.count
	}
	b.starts = append(b.starts, len(b.body))
	return b, sum, count
}

// split checks the table of a body.
func (c *Sparse) split(b []byte) (sparseBody, protocol.Verdict) {
	n := len(c.grid.pieces)
	if len(b) < 4*n {
		return sparseBody{}, protocol.VerdictMalformed
	}
	out := sparseBody{body: b, starts: make([]int, n+1)}
	at := uint64(4 * n)
	for i := range n {
		out.starts[i] = int(at)
		if at += uint64(binary.LittleEndian.Uint32(b[4*i:])); at > uint64(len(b)) {
			return sparseBody{}, protocol.VerdictMalformed
		}
	}
	out.starts[n] = int(at)
	if at != uint64(len(b)) {
		return sparseBody{}, protocol.VerdictMalformed
	}
	return out, protocol.VerdictOK
}

// check reads all records of a body and adds them up, piece by piece.
func (c *Sparse) check(b sparseBody, levels Levels, keep func(*tensor) int, add func(sum float64, v float32) float64) (sum float64, count int, v protocol.Verdict) {
	g := c.grid
	sums, counts, verdicts := make([]float64, len(g.pieces)), make([]int, len(g.pieces)), make([]protocol.Verdict, len(g.pieces))
	g.pool.Share(len(g.pieces), func(items iter.Seq[int]) {
		r := NewSparseReader(levels)
		for p := range items {
			verdicts[p] = r.Piece(b.piece(p))
			for i := range g.chunksOf(g.pieces[p]) {
				if !verdicts[p].OK() {
					break
				}
				t := &g.tensors[i]
				var value []float32
				if _, value, verdicts[p] = r.Next(t.chunk.Size(), keep(t)); verdicts[p].OK() {
					counts[p] += len(value)
					for _, v := range value {
						sums[p] = add(sums[p], v)
					}
				}
			}
			if verdicts[p].OK() {
				verdicts[p] = r.End()
			}
		}
	})
	for p := range g.pieces {
		if !verdicts[p].OK() {
			return 0, 0, verdicts[p]
		}
		sum, count = sum+sums[p], count+counts[p]
	}
	return sum, count, protocol.VerdictOK
}

// Read checks a gradient's body that came from another node. The SparseGradient keeps b.
func (c *Sparse) Read(b []byte) (*SparseGradient, protocol.Verdict) {
	body, v := c.split(b)
	if !v.OK() {
		return nil, v
	}
	sum, count, v := c.check(body, c.spec.Levels, keepOf, addSquare)
	if !v.OK() {
		return nil, v
	}
	if math.IsInf(sum, 0) {
		return nil, protocol.VerdictNonFinite
	}
	return &SparseGradient{sparseBody: body, norm: math.Sqrt(sum), count: count}, protocol.VerdictOK
}

// ReadUpdate checks an update's body that came from another node. The SparseUpdate keeps b.
func (c *Sparse) ReadUpdate(b []byte) (*SparseUpdate, protocol.Verdict) {
	body, v := c.split(b)
	if !v.OK() {
		return nil, v
	}
	sum, count, v := c.check(body, c.spec.Update, c.keepUpdate, addSize)
	if !v.OK() {
		return nil, v
	}
	return &SparseUpdate{sparseBody: body, count: count, sum: sum}, protocol.VerdictOK
}

// Mean is the mean of the peers' gradients, in the order given; callers pass ascending uid, since the sum of floats
// depends on order. A value that a peer did not send counts as zero. Each gradient is scaled so that its norm is at most
// the median norm of those that are not empty (spec/sparse, "Mean"). No gradients give no update: nil.
func (c *Sparse) Mean(gs []*SparseGradient) *SparseUpdate {
	if len(gs) == 0 {
		return nil
	}
	g, scales := c.grid, clipToMedian(gs)
	parts := make([]sparsePart, len(g.pieces))
	g.pool.Share(len(g.pieces), func(items iter.Seq[int]) {
		m := newSparseMean(c, len(gs))
		for p := range items {
			for i, r := range m.readers {
				r.Piece(gs[i].piece(p))
			}
			for i := range g.chunksOf(g.pieces[p]) {
				t := &g.tensors[i]
				keep := c.keepUpdate(t)
				index, value := m.next(t, scales, keep)
				_, read := m.w.Add(t.chunk.Size(), keep, index, value)
				parts[p].add(read, addSize)
			}
			parts[p].raw = m.w.Piece(nil)
		}
	})
	body, sum, count := joinSparse(parts)
	return &SparseUpdate{sparseBody: body, count: count, sum: sum}
}

// clipToMedian returns what each gradient is multiplied by.
func clipToMedian(gs []*SparseGradient) []float32 {
	var norms []float64
	for _, g := range gs {
		if g.norm > 0 {
			norms = append(norms, g.norm)
		}
	}
	slices.Sort(norms)
	scales := make([]float32, len(gs))
	for i, g := range gs {
		scales[i] = 1
		if n := len(norms); n > 0 && g.norm > 0 {
			median := (norms[(n-1)/2] + norms[n/2]) / 2
			scales[i] = float32(min(1, median/g.norm))
		}
	}
	return scales
}

// sparseMean averages the peers' values of one chunk after the other.
type sparseMean struct {
	readers []*SparseReader
	w       SparseWriter
	sum     []float32 // zero between chunks
	sent    []uint64  // a bit a value; likewise
	index   []uint16
	value   []float32
	*tile
}

func newSparseMean(c *Sparse, peers int) *sparseMean {
	m := &sparseMean{
		w: SparseWriter{Levels: c.spec.Update}, sum: make([]float32, c.grid.largest), sent: make([]uint64, (c.grid.largest+63)/64),
		index: make([]uint16, 0, c.grid.largest), value: make([]float32, 0, c.grid.largest), tile: c.grid.newTile(),
	}
	for range peers {
		m.readers = append(m.readers, NewSparseReader(c.spec.Levels))
	}
	return m
}

func (m *sparseMean) next(t *tensor, scales []float32, keep int) ([]uint16, []float32) {
	size := t.chunk.Size()
	sum, sent := m.sum[:size], m.sent[:(size+63)/64]
	for p, r := range m.readers {
		index, value, _ := r.Next(size, t.keep) // was checked by Read
		scale := scales[p]
		for i, at := range index {
			sum[at] += float32(value[i] * scale)
			sent[at/64] |= 1 << (at % 64)
		}
	}
	m.index, m.value = m.index[:0], m.value[:0]
	for i, word := range sent {
		for ; word != 0; word &= word - 1 {
			m.index = append(m.index, uint16(64*i+bits.TrailingZeros64(word)))
		}
		sent[i] = 0
	}
	if len(m.index) > keep { // of more gradients than MaxPeers
		m.index, _ = kernel.TopK(m.index[:0], sum, keep, m.keys, m.found) // finite: see tooGreat
	}
	for _, at := range m.index {
		m.value = append(m.value, sum[at]/float32(len(m.readers)))
	}
	clear(sum)
	return m.index, m.value
}

// each calls f for every chunk with the number of its piece, the offsets of its values in the flat memory, and the values.
// Pieces are visited concurrently, the chunks of a piece in order. The slices are valid until f returns.
func (c *Sparse) each(b sparseBody, levels Levels, keep func(*tensor) int, f func(piece int, at []int, v []float32)) {
	g := c.grid
	g.pool.Share(len(g.pieces), func(items iter.Seq[int]) {
		r, places := NewSparseReader(levels), make([]int, 0, g.largest)
		for p := range items {
			r.Piece(b.piece(p))
			for i, n := range g.chunksOf(g.pieces[p]) {
				t := &g.tensors[i]
				index, value, _ := r.Next(t.chunk.Size(), keep(t)) // was checked before
				first, cols := t.at(n), uint32(t.chunk.Cols)
				places = places[:0]
				for _, at := range index {
					row := uint32(at) / cols
					places = append(places, first+int(row)*t.cols+int(uint32(at)-row*cols))
				}
				f(p, places, value)
			}
		}
	})
}

// Subtract takes from m what was sent: m <- m - decode(g).
func (c *Sparse) Subtract(m []float32, g *SparseGradient) {
	c.each(g.sparseBody, c.spec.Levels, keepOf, func(_ int, at []int, v []float32) {
		for i, at := range at {
			m[at] -= v[i]
		}
	})
}

// Decode writes the values of g to dst (flat), and zeros between them.
func (c *Sparse) Decode(g *SparseGradient, dst []float32) {
	clear(dst)
	c.each(g.sparseBody, c.spec.Levels, keepOf, func(_ int, at []int, v []float32) {
		for i, at := range at {
			dst[at] = v[i]
		}
	})
}

// Apply changes params in place: p <- p - alpha*mean. Parameters without a value keep their bits, and a nil update
// changes nothing.
func (c *Sparse) Apply(params []float32, u *SparseUpdate, alpha float32) {
	if u == nil {
		return
	}
	c.each(u.sparseBody, c.spec.Update, c.keepUpdate, func(_ int, at []int, v []float32) {
		for i, at := range at {
			params[at] -= float32(alpha * v[i])
		}
	})
}

// Deltas describes the trial step p <- p - size*g, as an engine takes and undoes it: the function writes what is subtracted
// from the parameters from at on to dst. It may be called for any range, and by several goroutines at once.
func (c *Sparse) Deltas(g *SparseGradient, size float32) func(dst []float32, at int) {
	all := c.moves(g.sparseBody, c.spec.Levels, keepOf)
	return func(dst []float32, at int) {
		clear(dst)
		first, _ := slices.BinarySearchFunc(all, at, func(m move, at int) int { return m.at - at })
		for _, m := range all[first:] {
			if m.at >= at+len(dst) {
				break
			}
			dst[m.at-at] = float32(size * m.value)
		}
	}
}

// Differ counts the parameters that two updates move differently, and returns the first of them; -1 if there is none.
// Either may be nil.
func (c *Sparse) Differ(a, b *SparseUpdate) (count, first int) {
	all := func(u *SparseUpdate) []move {
		if u == nil {
			return nil
		}
		return c.moves(u.sparseBody, c.spec.Update, c.keepUpdate)
	}
	first = -1
	for x, y := all(a), all(b); len(x) > 0 || len(y) > 0; {
		at := math.MaxInt
		if len(x) > 0 {
			at = x[0].at
		}
		if len(y) > 0 {
			at = min(at, y[0].at)
		}
		var v, w float32
		if len(x) > 0 && x[0].at == at {
			v, x = x[0].value, x[1:]
		}
		if len(y) > 0 && y[0].at == at {
			w, y = y[0].value, y[1:]
		}
		if v != w {
			if count++; first < 0 {
				first = at
			}
		}
	}
	return count, first
}

// move is what one parameter is moved by.
type move struct {
	at    int
	value float32
}

// moves lists the values of a body in the order of the flat memory, of which pieces are ranges.
func (c *Sparse) moves(b sparseBody, levels Levels, keep func(*tensor) int) []move {
	pieces := make([][]move, len(c.grid.pieces))
	c.each(b, levels, keep, func(piece int, at []int, v []float32) {
		for i, at := range at {
			pieces[piece] = append(pieces[piece], move{at, v[i]})
		}
	})
	c.grid.pool.Share(len(pieces), func(items iter.Seq[int]) {
		for p := range items {
			slices.SortFunc(pieces[p], func(a, b move) int { return a.at - b.at })
		}
	})
	return slices.Concat(pieces...)
}

// Each calls f for every chunk of a gradient in order. f does not keep the slices. The Tensor and Chunk of what it is
// given are set.
func (c *Sparse) Each(g *SparseGradient, f func(Chunk)) {
	r := NewSparseReader(c.spec.Levels)
	for p, piece := range c.grid.pieces {
		r.Piece(g.piece(p))
		for i, n := range c.grid.chunksOf(piece) {
			t := &c.grid.tensors[i]
			index, value, _ := r.Next(t.chunk.Size(), t.keep) // was checked by Read
			f(Chunk{Tensor: i, Chunk: n, Index: index, Value: value})
		}
	}
}

// Pack makes a gradient of given values, one Chunk for each of the layout's, in order: what a test vector or another
// compressor has.
func (c *Sparse) Pack(chunks []Chunk) (*SparseGradient, error) {
	if len(chunks) != c.grid.chunks {
		return nil, fmt.Errorf("pack: %d chunks, want %d", len(chunks), c.grid.chunks)
	}
	w, parts := SparseWriter{Levels: c.spec.Levels}, make([]sparsePart, len(c.grid.pieces))
	for p, piece := range c.grid.pieces {
		for i, n := range c.grid.chunksOf(piece) {
			t := &c.grid.tensors[i]
			ch := chunks[t.first+n]
			if err := t.check(ch); err != nil {
				return nil, fmt.Errorf("pack: tensor %s, chunk %d: %w", t.Name, n, err)
			}
			for _, v := range ch.Value {
				if abs(v) >= tooGreat {
					return nil, fmt.Errorf("pack: tensor %s, chunk %d: a value is too large", t.Name, n)
				}
			}
			w.Add(t.chunk.Size(), t.keep, ch.Index, ch.Value)
		}
		parts[p].raw = w.Piece(nil)
	}
	body, _, _ := joinSparse(parts)
	g, v := c.Read(body.body) // the values are a caller's
	if !v.OK() {
		return nil, fmt.Errorf("pack: gradient is %v", v)
	}
	return g, nil
}

// Comparable lists the chunks, numbered over all tensors, of which a gradient holds at least least values and at most a
// quarter of all: in these, honest gradients differ.
func (c *Sparse) Comparable(least int) (out []int) {
	for i := range c.grid.tensors {
		t := &c.grid.tensors[i]
		if t.keep >= least && 4*t.keep <= t.chunk.Size() {
			for n := range t.chunks() {
				out = append(out, t.first+n)
			}
		}
	}
	return out
}
