package codec

import (
	"errors"
	"fmt"
	"math"

	"templar/protocol"
)

// Gradient is a compressed momentum: up to top-k coefficients of each chunk, kept in
// the form in which they stand on the wire (spec/dctsign, "Gradient body") and read a
// chunk at a time, so that every node sees the same quantised values and fifteen
// peers' gradients fit in memory. It is immutable.
type Gradient struct {
	body   []byte
	starts []int     // where the chunks of each piece begin in body
	norms  []float64 // L2 norm of each tensor's values
	count  int
}

// Bytes returns the body as it stands on the wire. The caller does not change it.
func (g *Gradient) Bytes() []byte { return g.body }

// Coefficients is the number of coefficients sent.
func (g *Gradient) Coefficients() int { return g.count }

// String describes the Gradient in a line.
func (g *Gradient) String() string { return fmt.Sprintf("%d coefficients in %v", g.count, g.Scheme()) }

// Scheme is how the values are coded.
func (g *Gradient) Scheme() Scheme { return Scheme(g.body[0]) }

// MaxBody bounds the size of a Gradient's body under any scheme.
func (c *Codec) MaxBody() int64 {
	total := int64(1)
	for i := range c.tensors {
		total += int64(c.tensors[i].chunks()) * int64(maxChunkBytes(&c.tensors[i], SchemeF32))
	}
	return total
}

// maxChunkBytes bounds a chunk's record in a scheme: the quotients of a Rice parameter add up to
// at most size >> rice, and Compress chooses the parameter that is shortest.
func maxChunkBytes(t *tensor, s Scheme) int {
	bits := t.chunk.Size() + t.keep
	for rice := 1; rice < 1<<riceBits; rice++ {
		bits = min(bits, t.chunk.Size()>>rice+t.keep*(1+rice))
	}
	return countSize(t.keep) + (riceBits+bits+7)/8 + scaleSize + s.width()*t.keep
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
	for _, p := range c.pieces {
		g.starts = append(g.starts, len(b)-len(r.rest))
		for i := range c.chunksOf(p) {
			if v := r.next(&c.tensors[i]); !v.OK() {
				return nil, v
			}
			g.count += len(r.index)
			sum := g.norms[i]
			for _, v := range r.value {
				sum += float64(float64(v) * float64(v))
			}
			g.norms[i] = sum
		}
	}
	if len(r.rest) > 0 {
		return nil, protocol.VerdictMalformed
	}
	for i, sum := range g.norms {
		g.norms[i] = math.Sqrt(sum)
	}
	return g, protocol.VerdictOK
}

// Chunk is the part of a Gradient that belongs to one chunk.
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

// Pack makes a Gradient of given coefficients, such as those of a test vector or of another
// compressor: one Chunk for each of the Codec's, in order. Values are coded by the Codec's
// scheme.
func (c *Codec) Pack(chunks []Chunk) (*Gradient, error) {
	if len(chunks) != c.chunks {
		return nil, fmt.Errorf("pack: %d chunks, want %d", len(chunks), c.chunks)
	}
	w := chunkWriter{scheme: c.scheme, body: []byte{byte(c.scheme)}}
	for _, p := range c.pieces {
		for i, n := range c.chunksOf(p) {
			t := &c.tensors[i]
			ch := chunks[t.first+n]
			if err := t.check(ch); err != nil {
				return nil, fmt.Errorf("pack: tensor %s, chunk %d: %w", t.Name, n, err)
			}
			w.write(t.keep, ch.Index, ch.Value)
		}
	}
	g, v := c.ReadGradient(w.body)
	if !v.OK() {
		return nil, fmt.Errorf("pack: gradient is %v", v)
	}
	return g, nil
}

func (t *tensor) check(ch Chunk) error {
	if len(ch.Index) != len(ch.Value) || len(ch.Index) > t.keep {
		return fmt.Errorf("%d indices and %d values, at most %d", len(ch.Index), len(ch.Value), t.keep)
	}
	for i, at := range ch.Index {
		if int(at) >= t.chunk.Size() || (i > 0 && at <= ch.Index[i-1]) {
			return errors.New("indices do not ascend within the chunk")
		}
	}
	for _, v := range ch.Value {
		if !finite(v) {
			return errors.New("a value is not finite")
		}
	}
	return nil
}
