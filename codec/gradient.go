package codec

import (
	"math"

	"templar/protocol"
)

// Gradient is a compressed momentum: up to top-k coefficients of each chunk, kept in
// the form in which they stand on the wire (spec/codec, "Gradient body") and read a
// chunk at a time, so that every node sees the same quantised values and fifteen
// peers' gradients fit in memory. It is immutable.
type Gradient struct {
	body  []byte
	norms []float64 // L2 norm of each tensor's values
	count int
}

// Bytes returns the body as it stands on the wire. The caller does not change it.
func (g *Gradient) Bytes() []byte { return g.body }

// Coefficients is the number of coefficients sent.
func (g *Gradient) Coefficients() int { return g.count }

// Scheme is how the values are coded.
func (g *Gradient) Scheme() Scheme { return Scheme(g.body[0]) }

// MaxBody bounds the size of a Gradient's body under any scheme.
func (c *Codec) MaxBody() int64 {
	total := int64(1)
	for i := range c.tensors {
		total += int64(c.tensors[i].chunks()) * int64(maxChunkBytes(&c.tensors[i]))
	}
	return total
}

// maxChunkBytes bounds a chunk's record: the quotients of a Rice parameter add up to
// at most size >> rice, and Compress chooses the parameter that is shortest.
func maxChunkBytes(t *tensor) int {
	bits := t.chunk.Size() + t.keep
	for rice := 1; rice < 1<<riceBits; rice++ {
		bits = min(bits, t.chunk.Size()>>rice+t.keep*(1+rice))
	}
	return countSize(t.keep) + (riceBits+bits+7)/8 + scaleSize + SchemeF32.width()*t.keep
}

// countSize is the width of a chunk's coefficient count.
func countSize(keep int) int {
	if keep < 1<<8 {
		return 1
	}
	return 4
}

// ReadGradient checks a body that came from another node. The Gradient keeps b.
func (c *Codec) ReadGradient(b []byte) (*Gradient, protocol.Verdict) {
	if len(b) == 0 || !Scheme(b[0]).valid() {
		return nil, protocol.VerdictMalformed
	}
	g := &Gradient{body: b, norms: make([]float64, len(c.tensors))}
	r := c.reader(g)
	for i := range c.tensors {
		t := &c.tensors[i]
		sum := 0.0
		for range t.chunks() {
			if v := r.next(t); !v.OK() {
				return nil, v
			}
			g.count += len(r.index)
			for _, v := range r.value {
				sum += float64(float64(v) * float64(v))
			}
		}
		g.norms[i] = math.Sqrt(sum)
	}
	if len(r.rest) > 0 {
		return nil, protocol.VerdictMalformed
	}
	return g, protocol.VerdictOK
}

// Chunk is what a Gradient says of one chunk.
type Chunk struct {
	Tensor int       // index into the Layout
	Chunk  int       // within the tensor, row-major
	Index  []uint16  // ascending, within the chunk
	Value  []float32 // dequantised
}

// Each calls f for every chunk in order. f does not keep the slices.
func (c *Codec) Each(g *Gradient, f func(Chunk)) {
	r := c.reader(g)
	for i := range c.tensors {
		t := &c.tensors[i]
		for n := range t.chunks() {
			r.next(t)
			f(Chunk{Tensor: i, Chunk: n, Index: r.index, Value: r.value})
		}
	}
}
