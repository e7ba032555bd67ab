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
	index   []uint16  // within the chunk, ascending
	value   []float32 // zeros are not sent
	tensors []tensor
	first   []int // by tensor: where its values begin
}

// chosen checks the sizes.
func (c *Codec) chosen(index []uint16, value []float32) (chosen, error) {
	s, n := chosen{index: index, value: value, tensors: c.tensors}, 0
	for i := range c.tensors {
		s.first = append(s.first, n)
		n += c.tensors[i].chunks() * c.tensors[i].keep
	}
	if len(index) != n || len(value) != n {
		return s, fmt.Errorf("compress: %d places and %d values, want %d", len(index), len(value), n)
	}
	return s, nil
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

// chunk is those of chunk n of tensor i.
func (s *chosen) chunk(i, n int) (index []uint16, value []float32) {
	keep := s.tensors[i].keep
	at := s.first[i] + n*keep
	return s.index[at : at+keep], s.value[at : at+keep]
}

// choose is for code: what is not zero.
func (s *chosen) choose(l *tile, i, n int) (index []uint16, value []float32, ok bool) {
	places, values := s.chunk(i, n)
	index, value = l.index[:0], l.value[:0]
	least := 0
	for k, at := range places {
		v := values[k]
		if int(at) < least || int(at) >= s.tensors[i].chunk.Size() || !(abs(v) < tooLarge) {
			return nil, nil, false
		}
		least = int(at) + 1
		if v != 0 {
			index, value = append(index, at), append(value, v)
		}
	}
	return index, value, true
}

// tooLarge is the magnitude from which on a coefficient is refused, as by kernel.TopK.
const tooLarge = 0x1p127

// spread writes the values that were sent of a chunk to their places among those that were chosen.
func (s *chosen) spread(i, n int, sent []uint16, of []float32) {
	index, value := s.chunk(i, n)
	k := 0
	for j, at := range index {
		value[j] = 0
		if k < len(sent) && sent[k] == at {
			value[j] = of[k]
			k++
		}
	}
}

// fill writes what was sent of a chunk, and the lowest other places.
func (s *chosen) fill(i, n int, sent []uint16, of []float32) {
	index, value := s.chunk(i, n)
	next := copy(index, sent)
	copy(value, of)
	for at, k := uint16(0), 0; next < len(index); at++ {
		if k < len(sent) && sent[k] == at {
			k++
			continue
		}
		index[next] = at
		next++
	}
}

// Code is Compress of what an engine chose: of each chunk in order the Keep values of largest magnitude, and where they
// are in the chunk, ascending.
func (c *Codec) Code(index []uint16, value []float32) (*Gradient, error) {
	s, err := c.chosen(index, value)
	if err != nil {
		return nil, err
	}
	return c.code(s.choose)
}

// Sent writes the values of g, which Code made of what was chosen at index, to dst: as decoded, and zero where
// a value was not sent.
func (c *Codec) Sent(g *Gradient, index []uint16, dst []float32) error {
	s, err := c.chosen(index, dst)
	if err == nil {
		c.records(g, s.spread)
	}
	return err
}

// Chosen lists the values of g as Code takes them, but in any order within a chunk: zeros at other places follow
// what was sent.
func (c *Codec) Chosen(g *Gradient) (index []uint16, value []float32) {
	s := c.places()
	c.records(g, s.fill)
	return s.index, s.value
}

// records calls do with what g has of each chunk, by all workers. The slices are valid until do returns.
func (c *Codec) records(g *Gradient, do func(i, n int, sent []uint16, of []float32)) {
	c.pool.Share(len(c.pieces), func(items iter.Seq[int]) {
		r := c.reader(g)
		for p := range items {
			r.seek(p)
			for i, n := range c.chunksOf(c.pieces[p]) {
				r.next(&c.tensors[i])
				do(i, n, r.index, r.value)
			}
		}
	})
}

// Cuts are those of the tensors, for an engine that chooses what Compress would: Code takes that.
func (c *Sparse) Cuts() []Cut { return c.grid.Cuts() }

// Code is Codec.Code.
func (c *Sparse) Code(index []uint16, value []float32) (*SparseGradient, error) {
	s, err := c.grid.chosen(index, value)
	if err != nil {
		return nil, err
	}
	return c.code(s.choose)
}

// Sent is Codec.Sent.
func (c *Sparse) Sent(g *SparseGradient, index []uint16, dst []float32) error {
	s, err := c.grid.chosen(index, dst)
	if err == nil {
		c.records(g, s.spread)
	}
	return err
}

// Chosen is Codec.Chosen.
func (c *Sparse) Chosen(g *SparseGradient) (index []uint16, value []float32) {
	s := c.grid.places()
	c.records(g, s.fill)
	return s.index, s.value
}

// records calls do with what g, which Read has checked or Code made, has of each chunk, by all workers. The slices are valid until do returns.
func (c *Sparse) records(g *SparseGradient, do func(i, n int, sent []uint16, of []float32)) {
	c.grid.pool.Share(len(c.grid.pieces), func(items iter.Seq[int]) {
		r := newSparseReader(c.spec.Levels)
		for p := range items {
			r.piece(g.piece(p))
			for i, n := range c.grid.chunksOf(c.grid.pieces[p]) {
				t := &c.grid.tensors[i]
				sent, of, _ := r.next(t.chunk.Size(), t.keep)
				do(i, n, sent, of)
			}
		}
	})
}
