//go:build openblas && (linux || darwin) && (amd64 || arm64)

package openblas

import (
	"math"

	"templar/internal/kernel/gemm"
)

// rowsAtOnce is the least number of rows of a result that one call computes.
const rowsAtOnce = 64

// Multiplier multiplies with a Library and the workers of a Runner. It is not for
// concurrent use.
type Multiplier struct {
	lib    *Library
	runner gemm.Runner
	calls  []call // by worker

	// The product under way, for the task.
	c, a, b gemm.Matrix
	add     bool
}

// New returns a Multiplier.
func New(l *Library, r gemm.Runner) *Multiplier {
	return &Multiplier{lib: l, runner: r, calls: make([]call, r.Workers())}
}

// Mul sets c = a*b, or c += a*b if add, under the conditions of gemm.Multiplier.Mul; a
// and b must have adjacent rows or columns.
func (g *Multiplier) Mul(c, a, b gemm.Matrix, add bool) {
	if a.Cols != b.Rows || c.Rows != a.Rows || c.Cols != b.Cols || c.ColStride != 1 || !fits(a) || !fits(b) || !fits(c) {
		panic("openblas: sizes do not agree")
	}
	if c.Rows == 0 || c.Cols == 0 || a.Cols == 0 {
		gemm.New(gemm.Serial{}).Mul(c, a, b, add)
		return
	}
	g.c, g.a, g.b, g.add = c, a, b, add
	g.runner.Run(c.Rows, max(rowsAtOnce, (c.Rows+7)/8), g)
	g.c, g.a, g.b = gemm.Matrix{}, gemm.Matrix{}, gemm.Matrix{}
}

// fits reports whether the library can use a matrix in its present layout.
func fits(m gemm.Matrix) bool {
	return (m.RowStride == 1 || m.ColStride == 1) && max(m.Rows, m.Cols, m.RowStride, m.ColStride) <= math.MaxInt32
}

// Do computes the rows lo <= i < hi. The library's matrices are column-major, so that it
// is given the transposed product: cT = bT*aT.
func (g *Multiplier) Do(worker, lo, hi int) {
	a, c := g.a.Sub(lo, 0, hi-lo, g.a.Cols), g.c.Sub(lo, 0, hi-lo, g.c.Cols)
	o := &g.calls[worker]
	o.m, o.n, o.k = int32(c.Cols), int32(c.Rows), int32(a.Cols)
	o.transA, o.lda = layoutOf(g.b)
	o.transB, o.ldb = layoutOf(a)
	o.ldc, o.alpha, o.beta = int32(max(c.RowStride, c.Cols)), 1, 0
	if g.add {
		o.beta = 1
	}
	_, _, _ = a.Data[last(a)], g.b.Data[last(g.b)], c.Data[last(c)] // the library checks no bounds
	g.lib.run(o, &g.b.Data[0], &a.Data[0], &c.Data[0])
}

// layoutOf is how the library has to read a matrix that it sees transposed.
func layoutOf(m gemm.Matrix) (trans byte, stride int32) {
	if m.ColStride == 1 {
		return 'N', int32(max(m.RowStride, m.Cols))
	}
	return 'T', int32(max(m.ColStride, m.Rows))
}

func last(m gemm.Matrix) int { return (m.Rows-1)*m.RowStride + (m.Cols-1)*m.ColStride }
