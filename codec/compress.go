package codec

import (
	"fmt"

	"templar/internal/kernel"
)

// tile is the working memory for one chunk.
type tile struct {
	x       []float32
	scratch *kernel.Scratch
	keys    []uint32
	index   []uint16
}

func (c *Codec) newTile() *tile {
	return &tile{
		x: make([]float32, c.largest), scratch: kernel.NewScratch(c.largest),
		keys: make([]uint32, c.largest), index: make([]uint16, 0, c.largest),
	}
}

// load copies a chunk of the flat memory into the tile.
func (l *tile) load(m []float32, t *tensor, chunk int) []float32 {
	at, w := t.at(chunk), t.chunk.Cols
	for r := range t.chunk.Rows {
		copy(l.x[r*w:][:w], m[at+r*t.cols:])
	}
	return l.x[:t.chunk.Size()]
}

// Compress returns the top-k coefficients of each chunk's DCT of m, which is flat in
// the order of the Layout, quantised by the Codec's scheme (spec/codec,
// "Compressing"). It fails, naming the tensor, when m holds a value that is not
// finite or so large that its coefficients are not.
func (c *Codec) Compress(m []float32) (*Gradient, error) {
	if len(m) != c.parameters() {
		return nil, fmt.Errorf("compress: %d values, want %d", len(m), c.parameters())
	}
	l := c.newTile()
	w := chunkWriter{scheme: c.scheme, body: append(make([]byte, 0, c.usualBody()), byte(c.scheme))}
	for i := range c.tensors {
		t := &c.tensors[i]
		for n := range t.chunks() {
			x := l.load(m, t, n)
			t.chunk.Forward(x, l.scratch)
			index, ok := kernel.TopK(l.index[:0], x, t.keep, l.keys)
			if !ok {
				return nil, fmt.Errorf("compress: tensor %s: values are not finite or too large", t.Name)
			}
			w.write(t.keep, index, x)
		}
	}
	g, verdict := c.ReadGradient(w.body)
	if !verdict.OK() {
		return nil, fmt.Errorf("compress: own gradient is %v", verdict)
	}
	return g, nil
}

// usualBody is about what a body of the Codec's scheme takes.
func (c *Codec) usualBody() int {
	total := 1
	for i := range c.tensors {
		t := &c.tensors[i]
		total += t.chunks() * (6 + t.keep*(c.scheme.width()*8+9)/8)
	}
	return total
}

// Decode writes the inverse DCT of g to dst (flat).
func (c *Codec) Decode(g *Gradient, dst []float32) {
	c.decode(g, dst, func(dst, x []float32) { copy(dst, x) })
}

// Subtract takes from m what was sent: m <- m - decode(g).
func (c *Codec) Subtract(m []float32, g *Gradient) {
	c.decode(g, m, func(m, x []float32) {
		for i, v := range x {
			m[i] -= v
		}
	})
}

// decode calls f for every row of every chunk: where it lies in flat, and its
// decoded values.
func (c *Codec) decode(g *Gradient, flat []float32, f func(flat, x []float32)) {
	l, r := c.newTile(), c.reader(g)
	for i := range c.tensors {
		t := &c.tensors[i]
		w := t.chunk.Cols
		for n := range t.chunks() {
			r.next(t)
			x := l.x[:t.chunk.Size()]
			t.chunk.Inverse(x, r.index, r.value, l.scratch)
			for row, at := 0, t.at(n); row < t.chunk.Rows; row, at = row+1, at+t.cols {
				f(flat[at:at+w], x[row*w:][:w])
			}
		}
	}
}
