package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/bits"

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
}

// Values is the number of parameters that the update moves.
func (u *SparseUpdate) Values() int { return u.count }

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
	return c.code(func(l *tile, i, n int) ([]uint16, []float32, bool) {
		t := &g.tensors[i]
		return l.top(l.rows(t, m, n), t.keep)
	})
}

// code writes the records of what is chosen.
func (c *Sparse) code(next choose) (*SparseGradient, error) {
	g := c.grid
	parts, errs := make([]sparsePart, len(g.pieces)), make([]error, len(g.pieces))
	g.pool.Share(len(g.pieces), func(items iter.Seq[int]) {
		l, w := g.newTile(), &sparseWriter{levels: c.spec.Levels}
		for p := range items {
			for i, n := range g.chunksOf(g.pieces[p]) {
				t := &g.tensors[i]
				index, value, ok := next(l, i, n)
				for _, v := range value {
					ok = ok && abs(v) < tooGreat
				}
				if !ok {
					errs[p] = fmt.Errorf("compress: tensor %s: values are not finite or too large", t.Name)
					return
				}
				w.add(t.keep, index, value)
				_, read := w.last()
				parts[p].add(read)
			}
			parts[p].raw = w.piece(nil)
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

// sparsePart is a piece that was written, and what readers will add up of it: the squares of its values, and how many there are.
type sparsePart struct {
	raw   []byte
	sum   float64
	count int
}

func (p *sparsePart) add(read []float32) {
	p.count += len(read)
	sum := p.sum
	for _, v := range read {
		sum += float64(float64(v) * float64(v))
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
func (c *Sparse) check(b sparseBody, levels Levels, keep func(*tensor) int) (sum float64, count int, v protocol.Verdict) {
	g := c.grid
	parts, verdicts := make([]sparsePart, len(g.pieces)), make([]protocol.Verdict, len(g.pieces))
	g.pool.Share(len(g.pieces), func(items iter.Seq[int]) {
		r := newSparseReader(levels)
		for p := range items {
			verdicts[p] = r.piece(b.piece(p))
			for i := range g.chunksOf(g.pieces[p]) {
				if !verdicts[p].OK() {
					break
				}
				t := &g.tensors[i]
				var value []float32
				if _, value, verdicts[p] = r.next(t.chunk.Size(), keep(t)); verdicts[p].OK() {
					parts[p].add(value)
				}
			}
			if verdicts[p].OK() {
				verdicts[p] = r.finish()
			}
		}
	})
	for p, part := range parts {
		if !verdicts[p].OK() {
			return 0, 0, verdicts[p]
		}
		sum, count = sum+part.sum, count+part.count
	}
	return sum, count, protocol.VerdictOK
}

// Read checks a gradient's body that came from another node. The SparseGradient keeps b.
func (c *Sparse) Read(b []byte) (*SparseGradient, protocol.Verdict) {
	body, v := c.split(b)
	if !v.OK() {
		return nil, v
	}
	sum, count, v := c.check(body, c.spec.Levels, keepOf)
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
	_, count, v := c.check(body, c.spec.Update, c.keepUpdate)
	if !v.OK() {
		return nil, v
	}
	return &SparseUpdate{sparseBody: body, count: count}, protocol.VerdictOK
}

// Each calls f for every chunk of a gradient in order. f does not keep the slices. The Tensor and Chunk of what it is
// given are set.
func (c *Sparse) Each(g *SparseGradient, f func(Chunk)) {
	r := newSparseReader(c.spec.Levels)
	for p, piece := range c.grid.pieces {
		r.piece(g.piece(p))
		for i, n := range c.grid.chunksOf(piece) {
			t := &c.grid.tensors[i]
			index, value, _ := r.next(t.chunk.Size(), t.keep) // was checked by Read
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
	w, parts := sparseWriter{levels: c.spec.Levels}, make([]sparsePart, len(c.grid.pieces))
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
			w.add(t.keep, ch.Index, ch.Value)
		}
		parts[p].raw = w.piece(nil)
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
