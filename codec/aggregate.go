package codec

import (
	"iter"

	"templar/internal/kernel"
)

// normFloor keeps a division by a tensor's norm defined.
const normFloor = 1e-8

// Aggregate folds peers' gradients, in the order given, into one sign per parameter
// (spec/codec, "Aggregating"); callers pass ascending uid, since the sum of floats
// depends on order. It streams: beside the update it holds one chunk a worker. No
// gradients give no update: nil.
func (c *Codec) Aggregate(gs []*Gradient) *Update {
	if len(gs) == 0 {
		return nil
	}
	u := c.newUpdate()
	c.eachMean(gs, func(t *tensor, n int, x []float32) {
		if x == nil {
			u.setEmpty(t.first + n)
			return
		}
		w := t.chunk.Cols
		for row, at := 0, t.at(n); row < t.chunk.Rows; row, at = row+1, at+t.cols {
			kernel.PackSigns(u.signs, at, x[row*w:][:w])
		}
	})
	return u
}

// Mean writes the decoded mean, whose signs Aggregate packs, to dst (flat); zero where
// nobody sent a coefficient.
func (c *Codec) Mean(gs []*Gradient, dst []float32) {
	clear(dst)
	c.eachMean(gs, func(t *tensor, n int, x []float32) {
		w := t.chunk.Cols
		for at := t.at(n); len(x) > 0; x, at = x[w:], at+t.cols {
			copy(dst[at:], x[:w])
		}
	})
}

// eachMean calls f with every chunk's decoded mean, row-major, or nil if nobody sent a
// coefficient of it.
func (c *Codec) eachMean(gs []*Gradient, f func(t *tensor, n int, x []float32)) {
	c.share(len(c.pieces), func(items iter.Seq[int]) {
		l, m := c.newTile(), newMean(c, gs)
		for p := range items {
			m.seek(p)
			for i, n := range c.chunksOf(c.pieces[p]) {
				t := &c.tensors[i]
				index, value := m.next(t, i)
				if len(index) == 0 {
					f(t, n, nil)
					continue
				}
				x := l.x[:t.chunk.Size()]
				t.chunk.Inverse(x, index, value, l.scratch)
				f(t, n, x)
			}
		}
	})
}

// mean averages the peers' normalised coefficients of one chunk after the other.
type mean struct {
	peers   []*Gradient
	readers []*chunkReader
	cells   []cell   // by coefficient; zero between chunks
	index   []uint16 // the coefficients that anyone sent
	value   []float32
}

type cell struct {
	sum     float32
	senders int32
}

func newMean(c *Codec, gs []*Gradient) *mean {
	most := min(c.largest, c.keep*len(gs))
	m := &mean{
		peers: gs, cells: make([]cell, c.largest),
		index: make([]uint16, most+1), value: make([]float32, most),
	}
	for _, g := range gs {
		m.readers = append(m.readers, c.reader(g))
	}
	return m
}

// seek goes to the first chunk of a piece.
func (m *mean) seek(piece int) {
	for _, r := range m.readers {
		r.seek(piece)
	}
}

func (m *mean) next(t *tensor, tensor int) ([]uint16, []float32) {
	count := 0
	for p, r := range m.readers {
		r.next(t)
		norm := m.peers[p].norms[tensor] + normFloor
		value := r.value[:len(r.index)]
		for i, at := range r.index {
			c := &m.cells[at]
			m.index[count] = at // stays if nobody sent it before
			if c.senders == 0 {
				count++
			}
			c.senders++
			c.sum += float32(float64(value[i]) / norm)
		}
	}
	index, value := m.index[:count], m.value[:count]
	for i, at := range index {
		c := &m.cells[at]
		value[i] = c.sum / float32(c.senders)
		*c = cell{}
	}
	return index, value
}
