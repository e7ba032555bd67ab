package program

import (
	"templar/internal/engine/xla/hlo"
	"templar/protocol"
)

// headLogits bounds the logits that are in memory at once, on each device: 512 MiB of float32.
const headLogits = 1 << 27

// Pieces returns s with a number of columns for the head that keeps its logits within bounds.
func Pieces(m protocol.Model, s Shape) Shape {
	rows := max(s.Rows/max(s.Devices, 1), 1)
	n := (rows*s.Cols*m.VocabSize + headLogits - 1) / headLogits // pieces
	s.HeadCols = 0
	if n > 1 {
		s.HeadCols = max(1, (s.Cols+n-1)/n)
		s.HeadCols = (s.HeadCols + 63) / 64 * 64
	}
	return s
}

// Activations is about how many bytes a device needs for a batch, beside the vectors. What the
// compiler plans is known only after compilation.
func Activations(m protocol.Model, s Shape, backward bool) int64 {
	low := int64(4)
	if s.Kind == hlo.BF16 {
		low = 2
	}
	tokens := int64(max(s.Rows/max(s.Devices, 1), 1)) * int64(s.Cols)
	h, kv, i := int64(m.HiddenSize), int64(m.KVHeads*m.HeadDim()), int64(m.IntermediateSize)
	scores := int64(0) // of plain attention
	if !s.Fused {
		scores = tokens * int64(m.Heads) * int64(s.Cols)
	}
	layer := tokens*(4*2*h+low*(4*h+2*kv+3*i)) + scores*low
	work := 2*layer + scores*3*4 + 6*tokens*h*4
	headCols := int64(s.HeadCols)
	if headCols == 0 {
		headCols = int64(s.Cols)
	}
	head := tokens / int64(s.Cols) * headCols * int64(m.VocabSize) * (4 + 4 + low)
	layers := int64(m.Layers)
	switch {
	case !backward:
		layers = 0
	case s.Recompute:
		return layers*tokens*h*4 + max(work, head) + weights(m, low)
	}
	return layers*layer + max(work, head) + weights(m, low)
}

// weights is the bytes of the matrices in the kind of products, where that is not float32.
func weights(m protocol.Model, low int64) int64 {
	if low == 4 {
		return 0
	}
	l := m.Layout()
	return int64(l.Size()) * low
}

// Cost is the work of a gradient, or of a loss.
type Cost struct {
	FLOP  float64 // of matrix products; recomputation does not count
	Bytes float64 // of parameters, gradient and activations that must move at least
}

// Work is the cost of a batch.
func Work(m protocol.Model, s Shape, backward bool) Cost {
	l := m.Layout()
	tokens := float64(s.Rows * s.Cols)
	matrices := float64(l.Size())
	if !m.TieEmbeddings {
		matrices -= float64(m.VocabSize * m.HiddenSize) // a gather
	}
	// Scores and mix: 2 products of 2 T H FLOP a token, of which the mask needs half.
	flop := tokens * (2*matrices + 2*float64(m.Layers*s.Cols*m.HiddenSize))
	low := 4.0
	if s.Kind == hlo.BF16 {
		low = 2
	}
	layer := tokens * (low*float64(6*m.HiddenSize+2*m.KVHeads*m.HeadDim()+4*m.IntermediateSize) + 4*4*float64(m.HiddenSize))
	bytes := float64(l.Size())*4 + float64(m.Layers)*layer
	if backward {
		return Cost{3 * flop, 3*bytes + float64(l.Size())*8}
	}
	return Cost{flop, bytes}
}
