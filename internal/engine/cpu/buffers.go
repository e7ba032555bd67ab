package cpu

import (
	"math"

	"templar/internal/kernel/gemm"
)

// buffers is the memory of a step. It grows to the largest batch seen and is used
// again for all that follow; steps use a prefix of each slice.
type buffers struct {
	rows, cols int // of the batch under way
	tokens     int // R that the slices have room for

	ins    [][]float32   // [R, H] the residual stream before each layer, or one in all
	layers []activations // saved for backward: one for each layer, or one in all
	top    []float32     // [R, H] residual stream after the last layer
	normed []float32     // [R, H] its norm, the head's input
	rstd   []float32     // [R]

	logits []float32 // [headRows, V]

	// Gradients of what their names say.
	dx, dy, dmix       []float32 // [R, H] residual stream, a norm's output, attention's output
	dqkv               []float32 // [R, (N+2K)*D]
	dhidden            []float32 // [R, I]
	dnorm              []float32 // [blocks, H] a norm's weight, of each block of rows
	cos, sin           []float32 // [T, D/2]
	positions          int       // T that the rotary tables have
	strips             []strip   // by worker
	headRows, stripLen int
}

// activations are what a layer's backward needs of its forward.
type activations struct {
	in           []float32 // [R, H] the residual stream, one of buffers.ins
	normed       []float32 // [R, H] its norm
	qkv          []float32 // [R, (N+2K)*D] queries and keys, rotated, and values, side by side
	mix          []float32 // [R, N*D] attention's output
	lse          []float32 // [R, N] log of the sum of exponentials of each row of scores
	mid, normed2 []float32 // [R, H] the residual stream before the MLP, its norm
	gateUp       []float32 // [R, 2I] the two side by side
	hidden       []float32 // [R, I] silu(gate) * up
	rstd, rstd2  []float32 // [R] one over the norms' root mean squares
}

// strip is a worker's memory for stripRows rows of attention scores.
type strip struct {
	p, dp []float32 // [stripRows, T]
	mul   *gemm.Multiplier
}

const (
	// Rows of attention scores computed at once, so that memory grows with T, not T*T.
	stripRows = 32
	// Logits held at once: the head works through the batch in pieces.
	headValues = 1 << 22
)

// reserve makes room for a batch of rows x cols. Without backward, layers share
// their activations; with recompute, they keep their inputs alone.
func (e *Engine) reserve(rows, cols int, backward, recompute bool) {
	a, m, ins, layers := &e.act, &e.model, 1, 1
	if backward {
		ins = m.Layers
	}
	if backward && !recompute {
		layers = m.Layers
	}
	a.rows, a.cols = rows, cols
	if n := rows * cols; n > a.tokens {
		*a = buffers{rows: rows, cols: cols, tokens: n}
		e.allocate(n)
	}
	for len(a.ins) < ins {
		a.ins = append(a.ins, make([]float32, a.tokens*m.HiddenSize))
	}
	for len(a.layers) < layers {
		a.layers = append(a.layers, newActivations(a.tokens, m.HiddenSize, e.qkvWidth(), m.IntermediateSize, m.Heads))
	}
	if backward && a.dx == nil {
		e.allocateBackward(a.tokens)
	}
	if cols > a.positions {
		a.positions = cols
		a.cos, a.sin = ropeTable(cols, m.HeadDim(), m.RopeTheta)
	}
	if cols > a.stripLen {
		a.stripLen = cols
		a.strips = make([]strip, e.pool.Workers())
		for i := range a.strips {
			a.strips[i] = strip{p: make([]float32, stripRows*cols), dp: make([]float32, stripRows*cols), mul: gemm.New(gemm.Serial{})}
		}
	}
}

func (e *Engine) allocate(n int) {
	a, h, v := &e.act, e.model.HiddenSize, e.model.VocabSize
	a.top, a.normed = make([]float32, n*h), make([]float32, n*h)
	a.rstd = make([]float32, n)
	a.headRows = headRows(n, v)
	a.logits = make([]float32, a.headRows*v)
}

// headRows is the number of tokens whose logits over a vocabulary of v are held at once: a
// power of two, so that the pieces of a part of a batch are pieces of the batch.
func headRows(n, v int) int {
	rows := 16
	for rows < n && 2*rows*v <= headValues {
		rows *= 2
	}
	return min(n, rows)
}

func (e *Engine) allocateBackward(n int) {
	a, h := &e.act, e.model.HiddenSize
	a.dx, a.dy, a.dmix = make([]float32, n*h), make([]float32, n*h), make([]float32, n*h)
	a.dqkv = make([]float32, n*e.qkvWidth())
	a.dhidden = make([]float32, n*e.model.IntermediateSize)
	a.dnorm = make([]float32, blocks(n)*h)
}

func newActivations(n, h, qkv, inner, heads int) activations {
	f := func(width int) []float32 { return make([]float32, n*width) }
	return activations{
		normed: f(h), qkv: f(qkv), mix: f(h), lse: f(heads),
		mid: f(h), normed2: f(h), gateUp: f(2 * inner), hidden: f(inner), rstd: f(1), rstd2: f(1),
	}
}

// qkvWidth is the width of queries, keys and values side by side, (N+2K)*D.
func (e *Engine) qkvWidth() int { return (e.model.Heads + 2*e.model.KVHeads) * e.model.HeadDim() }

// ropeTable returns cos and sin of position * theta^(-2i/D), [T, D/2]. Angles are
// rounded to float32 as Hugging Face computes them.
func ropeTable(cols, dim int, theta float64) (cos, sin []float32) {
	half := dim / 2
	cos, sin = make([]float32, cols*half), make([]float32, cols*half)
	for i := range half {
		inv := float32(1 / math.Pow(theta, float64(2*i)/float64(dim)))
		for t := range cols {
			angle := float64(float32(t) * inv)
			cos[t*half+i], sin[t*half+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
	}
	return cos, sin
}
