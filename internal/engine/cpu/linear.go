package cpu

import "templar/internal/kernel/gemm"

// linear computes y = x*wT, or y += x*wT: y [n, out], x [n, in], w [out, in].
func (e *Engine) linear(y, x, w []float32, n, out, in int, add bool) {
	e.mul.Mul(gemm.Dense(y, n, out), gemm.Dense(x, n, in), gemm.Dense(w, out, in).T(), add)
}

// linearInput computes dx = dy*w, or dx += dy*w.
func (e *Engine) linearInput(dx, dy, w []float32, n, out, in int, add bool) {
	e.mul.Mul(gemm.Dense(dx, n, in), gemm.Dense(dy, n, out), gemm.Dense(w, out, in), add)
}

// linearWeight computes dw += dyT*x.
func (e *Engine) linearWeight(dw, dy, x []float32, n, out, in int) {
	e.mul.Mul(gemm.Dense(dw, out, in), gemm.Dense(dy, n, out).T(), gemm.Dense(x, n, in), true)
}
