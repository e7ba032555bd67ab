package program

import (
	"math"

	"templar/internal/engine"
	"templar/internal/engine/xla/hlo"
	"templar/protocol"
)

// Chunked is a tensor that is compressed: how it is cut, and how it lies on devices.
type Chunked struct {
	Shape   []int
	Chunk   engine.Chunking
	Cosine  bool // the coefficients of each chunk's DCT are compressed; else the values
	Devices int
}

// chunked writes the program of one tensor.
type chunked struct {
	function
	c          Chunked
	rows, cols int          // of the tensor: a vector is one row
	dct        [2]hlo.Value // [side, side], frequency and place, of columns and of rows; a side of 1 has none
}

func newChunked(c Chunked) *chunked {
	t := &chunked{c: c, rows: 1, cols: c.Shape[0]}
	if len(c.Shape) == 2 {
		t.rows, t.cols = c.Shape[0], c.Shape[1]
	}
	t.devices, t.Exact = max(c.Devices, 1), true
	return t
}

func (t *chunked) tensor(name string, donate int) hlo.Value {
	return t.arg(name, hlo.F32, t.c.Shape, t.split(), donate)
}

func (t *chunked) split() bool { return Split(protocol.Tensor{Shape: t.c.Shape}, t.devices) }

// Apart reports whether each device has the chunks of its own rows, and so its part of what is chosen; else each has
// all of that.
func (c Chunked) Apart() bool {
	return Split(protocol.Tensor{Shape: c.Shape}, c.Devices) && c.Shape[0]/c.Devices%c.Chunk.Rows == 0
}

// chunks is the number of chunks, size that of values in one.
func (t *chunked) chunks() int { return t.rows * t.cols / t.size() }

func (t *chunked) size() int { return t.c.Chunk.Rows * t.c.Chunk.Cols }

// chosen is the arguments of Compress's last results, or of what replaces their values.
func (t *chunked) chosen() (index, value hlo.Value) {
	shape := []int{t.chunks(), t.c.Chunk.Keep}
	index = t.Convert(t.arg("index", hlo.U16, shape, t.c.Apart(), -1), hlo.I32)
	return index, t.arg("value", hlo.F32, shape, t.c.Apart(), -1)
}

// bases adds the arguments of the transform.
func (t *chunked) bases() {
	for i, side := range Sides(t.c.Chunk, t.c.Cosine) {
		if side > 1 {
			t.dct[i] = t.arg([]string{"down", "along"}[i], hlo.F32, []int{side, side}, false, -1)
		}
	}
}

// Sides are the sides of a chunk for whose transforms a program takes a Basis, in this order; those that are
// 1 need none.
func Sides(c engine.Chunking, cosine bool) [2]int {
	if !cosine {
		return [2]int{1, 1}
	}
	return [2]int{c.Rows, c.Cols}
}

// Basis is the matrix of the orthonormal DCT-II of a length: a row for each frequency.
func Basis(n int) []float32 {
	out := make([]float32, 0, n*n)
	for k := range n {
		scale := math.Sqrt(float64(min(k, 1)+1) / float64(n))
		for i := range n {
			out = append(out, float32(scale*math.Cos(math.Pi*float64((2*i+1)*k%(4*n))/float64(2*n))))
		}
	}
	return out
}

// cut makes rows of a tensor's chunks, [chunks, size], transformed.
func (t *chunked) cut(x hlo.Value) hlo.Value {
	c := t.c.Chunk
	x = t.Transpose(t.Reshape(x, t.rows/c.Rows, c.Rows, t.cols/c.Cols, c.Cols), 0, 2, 1, 3)
	x = t.Reshape(x, t.chunks(), c.Rows, c.Cols)
	return t.Reshape(t.transform(x, 1), t.chunks(), t.size())
}

// join is the opposite of cut.
func (t *chunked) join(x hlo.Value) hlo.Value {
	return t.lay(t.transform(t.Reshape(x, t.chunks(), t.c.Chunk.Rows, t.c.Chunk.Cols), 0))
}

// lay makes the tensor of its chunks.
func (t *chunked) lay(x hlo.Value) hlo.Value {
	c := t.c.Chunk
	x = t.Transpose(t.Reshape(x, t.rows/c.Rows, t.cols/c.Cols, c.Rows, c.Cols), 0, 2, 1, 3)
	return t.Reshape(x, t.c.Shape...)
}

// transform multiplies chunks [N, R, C] by the bases, whose dimension over is summed over: 1 for the DCT, 0 for
// its inverse.
func (t *chunked) transform(x hlo.Value, over int) hlo.Value {
	if t.dct[1].Name != "" {
		x = t.Dot(hlo.F32, x, t.dct[1], hlo.Axes{OverA: []int{2}, OverB: []int{over}})
	}
	if t.dct[0].Name != "" {
		x = t.Transpose(t.Dot(hlo.F32, x, t.dct[0], hlo.Axes{OverA: []int{1}, OverB: []int{over}}), 0, 2, 1)
	}
	return x
}

// Compress is (buffer, d..., factors, bases...) -> (buffer, index, value). The buffer moves to decay*buffer +
// scale*d in its own memory; d is one tensor, or with steps the difference of two. The factors are decay
// and scale. The results are the places, ascending, and the values of largest magnitude of each chunk, which are
// NaN where the chunk has a value that is not finite.
func Compress(c Chunked, steps bool) string {
	t := newChunked(c)
	b := t.tensor("buffer", 0)
	var d hlo.Value
	if steps {
		d = t.Sub(t.tensor("start", -1), t.tensor("now", -1))
	} else {
		d = t.tensor("gradient", -1)
	}
	factors := t.arg("factors", hlo.F32, []int{2}, false, -1)
	by := func(v hlo.Value, i int) hlo.Value {
		return t.Mul(v, t.Broadcast(t.Reshape(t.Slice(factors, 0, i, i+1)), c.Shape))
	}
	t.bases()
	b = t.Add(by(b, 0), by(d, 1))
	x := t.cut(b)
	size := t.Unary("abs", x)
	_, index := t.TopK(size, c.Chunk.Keep)
	index = t.Ascending(index)
	value := t.Pick(x, index)
	sound := t.Finite(t.Highest(size, 1))
	value = t.Select(t.Broadcast(sound, value.Shape, 0), value, t.Constant(hlo.F32, "0x7FC00000", value.Shape...))
	t.result(b, t.split())
	t.result(t.Convert(index, hlo.U16), c.Apart())
	t.result(value, c.Apart())
	return t.module("compress")
}

// Remove is (buffer, index, value, bases...) -> the buffer, in its own memory, less what the values at these
// places stand for.
func Remove(c Chunked) string {
	t := newChunked(c)
	b := t.tensor("buffer", 0)
	index, value := t.chosen()
	t.bases()
	t.result(t.Sub(b, t.join(t.Put(t.size(), index, value))), t.split())
	return t.module("remove")
}

// Trial is (params, index, value, size, bases...) -> the parameters less size times what the values at these places
// stand for, or with signs less the size with the sign of that, where a chunk has a value that is not zero. Where that is
// zero, the parameter keeps its bits.
func Trial(c Chunked, signs bool) string {
	t := newChunked(c)
	p := t.tensor("params", -1)
	index, value := t.chosen()
	size := t.Broadcast(t.arg("size", hlo.F32, nil, false, -1), c.Shape)
	t.bases()
	x, zeros := t.join(t.Put(t.size(), index, value)), t.Float(0, c.Shape...)
	delta := t.Mul(x, size)
	if signs {
		most := t.Highest(t.Unary("abs", value), 1)
		sent := t.lay(t.Broadcast(most, []int{t.chunks(), c.Chunk.Rows, c.Chunk.Cols}, 0))
		delta = t.Select(t.Compare("GT", x, zeros), size, t.Unary("negate", size))
		delta = t.Select(t.Compare("GT", sent, zeros), delta, zeros)
	}
	t.result(t.Select(t.Compare("EQ", delta, zeros), p, t.Sub(p, delta)), t.split())
	return t.module("trial")
}
