package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"templar/internal/kernel"
	"templar/internal/workers"
	"templar/protocol"
	"templar/state"
)

// MaxSide bounds Spec.TargetChunk, so that an index within a chunk fits 16 bits.
const MaxSide = 256

// Spec are the run parameters of compression, and how this node writes values.
type Spec struct {
	TargetChunk int // largest side of a chunk
	TopK        int // coefficients kept of each chunk
	// Scheme is how Compress codes values; decoders read every scheme.
	Scheme Scheme
}

// Codec compresses, decodes, aggregates and applies for one tensor table. It is
// immutable and safe for concurrent use.
type Codec struct {
	layout  protocol.Layout
	scheme  Scheme
	tensors []tensor
	chunks  int
	largest int // values in the largest chunk
	keep    int // coefficients kept of the chunk that keeps most
	pieces  []piece
	meet    bool          // some pieces share a byte of an update
	hash    protocol.Hash // LayoutHash

	pool workers.Pool
}

// tensor is a Tensor cut into chunks (spec/dctsign, "Chunks"). A vector is a matrix of
// one row.
type tensor struct {
	protocol.Tensor
	rows, cols int
	chunk      *kernel.Transform
	first      int // number of its first chunk
	keep       int // top-k, capped at the chunk's size
	room       int // bytes that a chunk's record can take in the Codec's scheme
}

// New checks the tensor table and prepares the transforms of its chunk shapes.
func New(layout protocol.Layout, s Spec) (*Codec, error) {
	if s.TargetChunk < 1 || s.TargetChunk > MaxSide {
		return nil, fmt.Errorf("codec: target_chunk is %d: must be in [1, %d]", s.TargetChunk, MaxSide)
	}
	if s.TopK < 1 {
		return nil, fmt.Errorf("codec: top-k is %d: must be positive", s.TopK)
	}
	if s.Scheme == 0 {
		s.Scheme = DefaultScheme
	}
	if !s.Scheme.valid() {
		return nil, fmt.Errorf("codec: unknown value scheme %d", s.Scheme)
	}
	c := &Codec{layout: layout, scheme: s.Scheme}
	transforms := map[[2]int]*kernel.Transform{}
	if _, err := state.New(layout); err != nil {
		return nil, fmt.Errorf("codec: %w", err)
	}
	for _, t := range layout {
		c.add(t, s, transforms)
	}
	c.pieces, c.meet = c.cut()
	c.hash = layoutHash(layout, s)
	return c, nil
}

func (c *Codec) add(l protocol.Tensor, s Spec, transforms map[[2]int]*kernel.Transform) {
	t := tensor{Tensor: l, rows: 1, cols: l.Shape[0], first: c.chunks}
	if len(l.Shape) == 2 {
		t.rows, t.cols = l.Shape[0], l.Shape[1]
	}
	shape := [2]int{Side(t.rows, s.TargetChunk), Side(t.cols, s.TargetChunk)}
	if transforms[shape] == nil {
		transforms[shape] = kernel.NewTransform(shape[0], shape[1])
	}
	t.chunk = transforms[shape]
	t.keep = min(s.TopK, t.chunk.Size())
	t.room = maxChunkBytes(&t, s.Scheme)
	c.tensors = append(c.tensors, t)
	c.chunks += t.chunks()
	c.largest, c.keep = max(c.largest, t.chunk.Size()), max(c.keep, t.keep)
}

// Side returns the side of the chunks along a dimension: its largest divisor that is
// not above target.
func Side(dimension, target int) int {
	for side := min(dimension, target); side > 1; side-- {
		if dimension%side == 0 {
			return side
		}
	}
	return 1
}

// Layout returns the tensor table. The caller does not change it.
func (c *Codec) Layout() protocol.Layout { return c.layout }

// LayoutHash identifies the tensor table together with chunk side and top-k: gradients and
// updates are readable only between codecs of the same LayoutHash.
func (c *Codec) LayoutHash() protocol.Hash { return c.hash }

// Chunks is the number of chunks of all tensors.
func (c *Codec) Chunks() int { return c.chunks }

func (c *Codec) parameters() int {
	if len(c.tensors) == 0 {
		return 0
	}
	last := &c.tensors[len(c.tensors)-1]
	return last.Offset + last.rows*last.cols
}

// across is the number of chunks in a row: a row of chunks is contiguous memory.
func (t *tensor) across() int { return t.cols / t.chunk.Cols }

func (t *tensor) chunks() int { return t.rows * t.cols / t.chunk.Size() }

// at returns the offset of a chunk's first value in the flat memory. Its rows follow
// one another t.cols apart.
func (t *tensor) at(chunk int) int {
	across := t.across()
	return t.Offset + chunk/across*t.chunk.Rows*t.cols + chunk%across*t.chunk.Cols
}

// rowsOf returns the rows of a chunk of the flat memory m.
func (t *tensor) rowsOf(m []float32, chunk int) kernel.Rows {
	at := t.at(chunk)
	return kernel.Rows{X: m[at : at+(t.chunk.Rows-1)*t.cols+t.chunk.Cols], Stride: t.cols}
}

// layoutHash is specified in spec/dctsign, "Layout hash".
func layoutHash(l protocol.Layout, s Spec) protocol.Hash {
	b := []byte("templar shape\x00")
	b = binary.LittleEndian.AppendUint32(b, uint32(s.TargetChunk))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.TopK))
	return sha256.Sum256(state.AppendTable(b, l))
}
