package codec

import "templar/internal/kernel"

// normFloor keeps a division by a tensor's norm defined.
const normFloor = 1e-8

// Aggregate folds peers' gradients, in the order given, into one sign per parameter
// (spec/codec, "Aggregating"); callers pass ascending uid, since the sum of floats
// depends on order. It streams: beside the update it holds one chunk. No gradients
// give no update: nil.
func (c *Codec) Aggregate(gs []*Gradient) *Update {
	if len(gs) == 0 {
		return nil
	}
	u := c.newUpdate()
	l, m := c.newTile(), newMean(c, gs)
	for i := range c.tensors {
		t := &c.tensors[i]
		for n := range t.chunks() {
			index, value := m.next(t, i)
			if len(index) == 0 {
				u.setEmpty(t.first + n)
				continue
			}
			x := l.x[:t.chunk.Size()]
			t.chunk.Inverse(x, index, value, l.scratch)
			for row, at := 0, t.at(n); row < t.chunk.Rows; row, at = row+1, at+t.cols {
				kernel.PackSigns(u.signs, at, x[row*t.chunk.Cols:][:t.chunk.Cols])
			}
		}
	}
	return u
}

// mean averages the peers' normalised coefficients of one chunk after the other.
type mean struct {
	peers   []*Gradient
	readers []*chunkReader
	sum     []float32 // by coefficient; +0 between chunks
	senders []int32   // how many sent it; 0 between chunks
	index   []uint16  // the coefficients that anyone sent
	value   []float32
}

func newMean(c *Codec, gs []*Gradient) *mean {
	m := &mean{
		peers: gs, sum: make([]float32, c.largest), senders: make([]int32, c.largest),
		index: make([]uint16, 0, c.largest), value: make([]float32, 0, c.largest),
	}
	for _, g := range gs {
		m.readers = append(m.readers, c.reader(g))
	}
	return m
}

func (m *mean) next(t *tensor, tensor int) ([]uint16, []float32) {
	m.index, m.value = m.index[:0], m.value[:0]
	for p, r := range m.readers {
		r.next(t)
		norm := m.peers[p].norms[tensor] + normFloor
		for i, at := range r.index {
			if m.senders[at] == 0 {
				m.index = append(m.index, at)
			}
			m.senders[at]++
			m.sum[at] += float32(float64(r.value[i]) / norm)
		}
	}
	for _, at := range m.index {
		m.value = append(m.value, m.sum[at]/float32(m.senders[at]))
		m.sum[at], m.senders[at] = 0, 0
	}
	return m.index, m.value
}
