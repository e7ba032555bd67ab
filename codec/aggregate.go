package codec

import (
	"iter"

	"templar/internal/kernel"
)

// normFloor keeps a division by a tensor's norm defined.
const normFloor = 1e-8

// Aggregate folds peers' gradients, in the order given, into one sign per parameter
// (spec/dctsign, "Aggregating"); callers pass ascending uid, since the sum of floats
// depends on order. Beside the update it holds one chunk per worker in memory. Without
// gradients it returns nil.
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
		kernel.PackChunk(u.signs, t.at(n), t.cols, x, t.chunk.Cols)
	})
	return u
}

// Mean writes the decoded mean, whose signs Aggregate packs, to dst (flat); zero where
// no peer sent a coefficient.
func (c *Codec) Mean(gs []*Gradient, dst []float32) {
	clear(dst)
	c.eachMean(gs, func(t *tensor, n int, x []float32) {
		w := t.chunk.Cols
		for at := t.at(n); len(x) > 0; x, at = x[w:], at+t.cols {
			copy(dst[at:], x[:w])
		}
	})
}

// eachMean calls f with every chunk's decoded mean, row-major, or nil if no peer sent a
// coefficient of it.
func (c *Codec) eachMean(gs []*Gradient, f func(t *tensor, n int, x []float32)) {
	c.shareWriting(func(pieces iter.Seq[int]) {
		l, m := c.newTile(), newMean(c, gs)
		for p := range pieces {
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
	sum     []float32 // by coefficient; zero between chunks
	senders []uint32  // likewise
	index   []uint16  // the coefficients that any peer sent
	value   []float32
}

func newMean(c *Codec, gs []*Gradient) *mean {
	most := min(c.largest, c.keep*len(gs))
	m := &mean{
		peers: gs, sum: make([]float32, c.largest), senders: make([]uint32, c.largest),
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
	for _, r := range m.readers { // one peer's bits need not wait for another's sums
		r.next(t)
	}
	count := 0
	sum, senders := m.sum[:t.chunk.Size()], m.senders[:t.chunk.Size()]
	for p, r := range m.readers {
		kernel.Divide(r.value, m.peers[p].norms[tensor]+normFloor)
		value := r.value[:len(r.index)]
		for i, at := range r.index {
			m.index[count] = at // stays if no peer sent it before: 0-1 has the upper bit
			count += int((senders[at] - 1) >> 31)
			senders[at]++
			sum[at] += value[i]
		}
	}
	index, value := m.index[:count], m.value[:count]
	for i, at := range index {
		value[i] = sum[at] / float32(int32(senders[at]))
		sum[at], senders[at] = 0, 0
	}
	return index, value
}
