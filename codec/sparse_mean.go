package codec

import (
	"iter"
	"slices"

	"templar/internal/kernel"
)

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
				r.piece(gs[i].piece(p))
			}
			for i := range g.chunksOf(g.pieces[p]) {
				t := &g.tensors[i]
				m.next(t, scales, c.keepUpdate(t))
			}
			parts[p].count = len(m.w.index)
			m.piece = m.w.piece(m.piece[:0])
			parts[p].raw = slices.Clone(m.piece)
		}
	})
	body, _, count := joinSparse(parts)
	return &SparseUpdate{sparseBody: body, count: count}
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
	readers []*sparseReader
	w       sparseWriter
	sum     []float32 // zero between chunks
	index   []uint16  // room for as many
	value   []float32 // likewise
	piece   []byte
	*tile
}

func newSparseMean(c *Sparse, peers int) *sparseMean {
	n := c.grid.largest
	m := &sparseMean{
		w: sparseWriter{levels: c.spec.Update}, sum: make([]float32, n), index: make([]uint16, n), value: make([]float32, n), tile: c.grid.newTile(),
	}
	for range peers {
		m.readers = append(m.readers, newSparseReader(c.spec.Levels))
	}
	return m
}

// next writes the means of the next chunk. A position where all that was sent adds up to zero is as one that was not sent: its mean rounds to zero,
// and the largest sums are taken before it.
func (m *sparseMean) next(t *tensor, scales []float32, keep int) {
	size := t.chunk.Size()
	sum := m.sum[:size]
	for p, r := range m.readers {
		index, value, _ := r.scaled(size, t.keep, scales[p]) // was checked by Read
		value = value[:len(index)]
		for i, at := range index {
			sum[at] += value[i]
		}
	}
	n, largest := kernel.TakeNonzero(m.index[:size], m.value[:size], sum)
	index, value := m.index[:n], m.value[:n]
	if n > keep { // of more gradients than MaxPeers
		most, _ := kernel.TopK(m.tile.index[:0], value, keep, m.keys, m.found) // finite: see tooGreat
		for i, at := range most {
			index[i], value[i] = index[at], value[at]
		}
		index, value = index[:keep], value[:keep]
	}
	m.w.addMean(keep, index, value, largest, len(m.readers))
}
