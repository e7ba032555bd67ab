package codec

import (
	"fmt"
	"iter"
)

// Cut is the chunks of a tensor, and how many values of one are kept at most.
type Cut struct{ Rows, Cols, Keep int }

// Cuts are those of the tensors, for an engine that chooses what Compress would: Code takes that.
func (c *Codec) Cuts() []Cut {
	out := make([]Cut, len(c.tensors))
	for i := range c.tensors {
		t := &c.tensors[i]
		out[i] = Cut{t.chunk.Rows, t.chunk.Cols, t.keep}
	}
	return out
}

// chosen is values that an engine chose: of each chunk in order as many as are kept.
type chosen struct {
	index []uint16  // within the chunk, ascending
	value []float32 // zeros are not sent
	first []int     // by tensor: where its values begin
}

// chosen checks the sizes.
func (c *Codec) chosen(index []uint16, value []float32) (chosen, error) {
	s, n := chosen{index: index, value: value}, 0
	for i := range c.tensors {
		s.first = append(s.first, n)
		n += c.tensors[i].chunks() * c.tensors[i].keep
	}
	if len(index) != n || len(value) != n {
		return s, fmt.Errorf("compress: %d places and %d values, want %d", len(index), len(value), n)
	}
	return s, nil
}

// chunk is those of chunk n of tensor i.
func (s *chosen) chunk(t *tensor, i, n int) (index []uint16, value []float32) {
	at := s.first[i] + n*t.keep
	return s.index[at : at+t.keep], s.value[at : at+t.keep]
}

// choose is for code: what is not zero.
func (s *chosen) choose(tensors []tensor) choose {
	return func(l *tile, i, n int) (index []uint16, value []float32, ok bool) {
		t := &tensors[i]
		places, values := s.chunk(t, i, n)
		index, value = l.index[:0], l.value[:0]
		least := 0
		for k, at := range places {
			v := values[k]
			if int(at) < least || int(at) >= t.chunk.Size() || !(abs(v) < tooLarge) {
				return nil, nil, false
			}
			least = int(at) + 1
			if v != 0 {
				index, value = append(index, at), append(value, v)
			}
		}
		return index, value, true
	}
}

// tooLarge is the magnitude from which on a coefficient is refused.
const tooLarge = 0x1p127

// Code is Compress of what an engine chose: of each chunk in order the Keep values of largest magnitude, and where they
// are in the chunk, ascending.
func (c *Codec) Code(index []uint16, value []float32) (*Gradient, error) {
	s, err := c.chosen(index, value)
	if err != nil {
		return nil, err
	}
	return c.code(s.choose(c.tensors))
}

// Sent writes the values of g, which Code made of what was chosen at index, to dst: as decoded, and zero where
// a value was not sent.
func (c *Codec) Sent(g *Gradient, index []uint16, dst []float32) error {
	s, err := c.chosen(index, dst)
	if err != nil {
		return err
	}
	c.pool.Share(len(c.pieces), func(items iter.Seq[int]) {
		r := c.reader(g)
		for p := range items {
			r.seek(p)
			for i, n := range c.chunksOf(c.pieces[p]) {
				t := &c.tensors[i]
				r.next(t)
				index, value := s.chunk(t, i, n)
				spread(value, index, r.index, r.value)
			}
		}
	})
	return nil
}

// Chosen lists the values of g as Code takes them, but in any order within a chunk: zeros at other places follow
// what was sent.
func (c *Codec) Chosen(g *Gradient) (index []uint16, value []float32) {
	s := c.places()
	c.pool.Share(len(c.pieces), func(items iter.Seq[int]) {
		r := c.reader(g)
		for p := range items {
			r.seek(p)
			for i, n := range c.chunksOf(c.pieces[p]) {
				t := &c.tensors[i]
				r.next(t)
				index, value := s.chunk(t, i, n)
				fill(index, value, r.index, r.value)
			}
		}
	})
	return s.index, s.value
}

// places has room for what is chosen.
func (c *Codec) places() chosen {
	n := 0
	for i := range c.tensors {
		n += c.tensors[i].chunks() * c.tensors[i].keep
	}
	s, _ := c.chosen(make([]uint16, n), make([]float32, n))
	return s
}

// fill writes what was sent of a chunk, and the lowest other places.
func fill(index []uint16, value []float32, sent []uint16, of []float32) {
	n := copy(index, sent)
	copy(value, of)
	for at, k := uint16(0), 0; n < len(index); at++ {
		if k < len(sent) && sent[k] == at {
			k++
			continue
		}
		index[n] = at
		n++
	}
}

// spread writes the values that were sent to their places among those that were chosen.
func spread(dst []float32, index, sent []uint16, value []float32) {
	k := 0
	for i, at := range index {
		dst[i] = 0
		if k < len(sent) && sent[k] == at {
			dst[i] = value[k]
			k++
		}
	}
}

// Cuts are those of the tensors, for an engine that chooses what Compress would: Code takes that.
func (c *Sparse) Cuts() []Cut { return c.grid.Cuts() }

// Code is Compress of what an engine chose: of each chunk in order the Keep values of largest magnitude, and where they
// are in the chunk, ascending.
func (c *Sparse) Code(index []uint16, value []float32) (*SparseGradient, error) {
	s, err := c.grid.chosen(index, value)
	if err != nil {
		return nil, err
	}
	return c.code(s.choose(c.grid.tensors))
}

// Chosen lists the values of g as Code takes them, but in any order within a chunk: zeros at other places follow
// what was sent.
func (c *Sparse) Chosen(g *SparseGradient) (index []uint16, value []float32) {
	s := c.grid.places()
	c.grid.pool.Share(len(c.grid.pieces), func(items iter.Seq[int]) {
		r := newSparseReader(c.spec.Levels)
		for p := range items {
			r.piece(g.piece(p))
			for i, n := range c.grid.chunksOf(c.grid.pieces[p]) {
				t := &c.grid.tensors[i]
				sent, of, _ := r.next(t.chunk.Size(), t.keep) // was checked by Read
				index, value := s.chunk(t, i, n)
				fill(index, value, sent, of)
			}
		}
	})
	return s.index, s.value
}

// Sent writes the values of g, which Code made of what was chosen at index, to dst: as decoded, and zero where
// a value was not sent.
func (c *Sparse) Sent(g *SparseGradient, index []uint16, dst []float32) error {
	s, err := c.grid.chosen(index, dst)
	if err != nil {
		return err
	}
	c.grid.pool.Share(len(c.grid.pieces), func(items iter.Seq[int]) {
		r := newSparseReader(c.spec.Levels)
		for p := range items {
			r.piece(g.piece(p))
			for i, n := range c.grid.chunksOf(c.grid.pieces[p]) {
				t := &c.grid.tensors[i]
				sent, value, _ := r.next(t.chunk.Size(), t.keep) // was made by Code
				index, dst := s.chunk(t, i, n)
				spread(dst, index, sent, value)
			}
		}
	})
	return nil
}
