package cpu

import (
	"math"

	"templar/internal/kernel/nn"
)

// norm is RMSNorm (Zhang and Sennrich 2019): y = x * rstd * w with
// rstd = 1/sqrt(mean(x^2) + eps); x, y [R, H], w [H], rstd [R]. Where there is a place for
// it, x itself is copied too: the residual that the layer adds to.
type norm struct {
	y, x, w, rstd, residual []float32
	width                   int
	eps                     float64
}

// Do normalises the rows lo <= r < hi.
func (o *norm) Do(_, lo, hi int) {
	w := o.w[:o.width]
	for r := lo; r < hi; r++ {
		x, y := o.x[r*o.width:][:len(w)], o.y[r*o.width:][:len(w)]
		o.rstd[r] = float32(1 / math.Sqrt(nn.Dot(x, x)/float64(o.width)+o.eps))
		nn.Norm(y, x, w, o.rstd[r])
		if o.residual != nil {
			copy(o.residual[r*o.width:], x)
		}
	}
}

// normBackward computes dx, or adds to it: with g = dy*w and n = x*rstd,
// dx = rstd * (g - n*mean(g*n)). For each block of rows it also sums the weight's gradient
// over them, dw = dy*n, in dw [blocks, H].
type normBackward struct {
	dx, dy, x, w, rstd, dw []float32
	rows, width            int
	add                    bool
}

// Do handles the blocks lo <= b < hi.
func (o *normBackward) Do(_, lo, hi int) {
	for b := lo; b < hi; b++ {
		dw := o.dw[b*o.width:][:o.width]
		clear(dw)
		o.block(dw, b*rowGrain, min((b+1)*rowGrain, o.rows))
	}
}

func (o *normBackward) block(dw []float32, lo, hi int) {
	w := o.w[:o.width]
	for r := lo; r < hi; r++ {
		x, dy, dx := o.x[r*o.width:][:len(w)], o.dy[r*o.width:][:len(w)], o.dx[r*o.width:][:len(w)]
		if !o.add {
			clear(dx)
		}
		nn.NormBackward(dx, dw, dy, x, w, o.rstd[r])
	}
}

// blocks is the number of blocks of rowGrain rows.
func blocks(n int) int { return (n + rowGrain - 1) / rowGrain }

func (e *Engine) normForward(y, x, w, rstd, residual []float32, n int) {
	e.ops.norm = norm{y: y, x: x, w: w, rstd: rstd, residual: residual, width: e.model.HiddenSize, eps: e.model.NormEps}
	e.pool.Run(n, rowGrain, &e.ops.norm)
}

func (e *Engine) normBackward(dx, dy, x, w, dw, rstd []float32, n int, add bool) {
	h := e.model.HiddenSize
	parts := e.act.dnorm[:blocks(n)*h]
	e.ops.normBackward = normBackward{dx: dx, dy: dy, x: x, w: w, rstd: rstd, dw: parts, rows: n, width: h, add: add}
	e.pool.Run(blocks(n), 1, &e.ops.normBackward)
	dw = dw[:h]
	for ; len(parts) > 0; parts = parts[h:] {
		for j, v := range parts[:h] {
			dw[j] += v
		}
	}
}
