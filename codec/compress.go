package codec

import (
	"fmt"
	"iter"

	"templar/internal/kernel"
)

// tile is the working memory for one chunk.
type tile struct {
	x       []float32
	scratch *kernel.Scratch
	keys    []uint32
	found   []uint16
	index   []uint16
	value   []float32
}

func (c *Codec) newTile() *tile {
	return &tile{
		x: make([]float32, c.largest), scratch: kernel.NewScratch(c.largest),
		keys: make([]uint32, c.largest), found: make([]uint16, c.largest), index: make([]uint16, 0, c.keep),
		value: make([]float32, 0, c.keep),
	}
}

// forward returns the coefficients of a chunk of the flat memory m.
func (l *tile) forward(m []float32, t *tensor, chunk int) []float32 {
	var next kernel.Rows
	if chunk+1 < t.chunks() {
		next = t.rowsOf(m, chunk+1)
	}
	x := l.x[:t.chunk.Size()]
	t.chunk.Forward(x, t.rowsOf(m, chunk), next, l.scratch)
	return x
}

// Compress returns the top-k coefficients of each chunk's DCT of m, which is flat in
// the order of the Layout, quantised by the Codec's scheme (spec/dctsign,
// "Compressing"). It fails, naming the tensor, when m holds a value that is not
// finite or so large that its coefficients are not.
func (c *Codec) Compress(m []float32) (*Gradient, error) {
	if len(m) != c.parameters() {
		return nil, fmt.Errorf("compress: %d values, want %d", len(m), c.parameters())
	}
	return c.code(func(l *tile, i, n int) ([]uint16, []float32, bool) {
		t := &c.tensors[i]
		return l.top(l.forward(m, t, n), t.keep)
	})
}

// top is the keep values of x of largest magnitude, and where they are, ascending; ok is false when one is not finite or too large.
func (l *tile) top(x []float32, keep int) (index []uint16, value []float32, ok bool) {
	index, ok = kernel.TopK(l.index[:0], x, keep, l.keys, l.found)
	value = l.value[:0]
	for _, at := range index {
		value = append(value, x[at])
	}
	return index, value, ok
}

// choose returns what is sent of chunk n of tensor i: finite values that are not zero, at indices that ascend.
// The slices are valid until the next call with the same tile.
type choose func(l *tile, i, n int) (index []uint16, value []float32, ok bool)

// code writes the records of what is chosen.
func (c *Codec) code(next choose) (*Gradient, error) {
	room := c.bodyRoom()
	body, errs := make([]byte, room[len(c.pieces)]), make([]error, len(c.pieces))
	parts := make([][]byte, len(c.pieces))
	c.pool.Share(len(c.pieces), func(items iter.Seq[int]) {
		l, w := c.newTile(), chunkWriter{scheme: c.scheme}
		for p := range items {
			w.body = body[room[p]:room[p]:room[p+1]]
			errs[p] = c.codePiece(next, c.pieces[p], l, &w)
			parts[p] = w.body
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
	}
	return c.join(body, parts)
}

// bodyRoom returns where the pieces of a body begin when each takes as much as it can.
func (c *Codec) bodyRoom() []int {
	room := []int{1}
	for _, p := range c.pieces {
		size := room[len(room)-1]
		for i := range c.chunksOf(p) {
			size += c.tensors[i].room
		}
		room = append(room, size)
	}
	return room
}

func (c *Codec) codePiece(next choose, p piece, l *tile, w *chunkWriter) error {
	for i, n := range c.chunksOf(p) {
		index, value, ok := next(l, i, n)
		if !ok {
			return fmt.Errorf("tensor %s: values are not finite or too large", c.tensors[i].Name)
		}
		w.write(c.tensors[i].keep, index, value)
	}
	return nil
}

// join makes the pieces of a body contiguous within its memory, and reads the result as
// any other node will.
func (c *Codec) join(body []byte, parts [][]byte) (*Gradient, error) {
	body[0] = byte(c.scheme)
	size := 1
	for _, part := range parts {
		size += copy(body[size:], part)
	}
	g, verdict := c.ReadGradient(body[:size:size])
	if !verdict.OK() {
		return nil, fmt.Errorf("compress: own gradient is %v", verdict)
	}
	return g, nil
}

// Decode writes the inverse DCT of g to dst (flat).
func (c *Codec) Decode(g *Gradient, dst []float32) {
	c.decode(g, dst, func(dst, x []float32) { copy(dst, x) })
}

// Subtract takes from m what was sent: m <- m - decode(g).
func (c *Codec) Subtract(m []float32, g *Gradient) {
	c.decode(g, m, func(m, x []float32) {
		x = x[:len(m)]
		for i := range m {
			m[i] -= x[i]
		}
	})
}

// decode calls f for every row of every chunk with its offset in the flat memory and its
// decoded values.
func (c *Codec) decode(g *Gradient, flat []float32, f func(flat, x []float32)) {
	c.pool.Share(len(c.pieces), func(items iter.Seq[int]) {
		l, r := c.newTile(), c.reader(g)
		for p := range items {
			r.seek(p)
			for i, n := range c.chunksOf(c.pieces[p]) {
				t := &c.tensors[i]
				r.next(t)
				x, w := l.x[:t.chunk.Size()], t.chunk.Cols
				t.chunk.Inverse(x, r.index, r.value, l.scratch)
				for row, at := 0, t.at(n); row < t.chunk.Rows; row, at = row+1, at+t.cols {
					f(flat[at:at+w], x[row*w:][:w])
				}
			}
		}
	})
}
