package cpu

import "math"

// norm is RMSNorm (Zhang and Sennrich 2019): y = x * rstd * w with
// rstd = 1/sqrt(mean(x^2) + eps); x, y [R, H], w [H], rstd [R].
type norm struct {
	y, x, w, rstd []float32
	width         int
	eps           float64
}

// Do normalises the rows lo <= r < hi.
func (o *norm) Do(_, lo, hi int) {
	w := o.w[:o.width]
	for r := lo; r < hi; r++ {
		x, y := o.x[r*o.width:][:len(w)], o.y[r*o.width:][:len(w)]
		s := float32(1 / math.Sqrt(dot(x, x)/float64(o.width)+o.eps))
		o.rstd[r] = s
		for j, v := range x {
			y[j] = v * s * w[j]
		}
	}
}

// normBackward computes dx, or adds to it: with g = dy*w and n = x*rstd,
// dx = rstd * (g - n*mean(g*n)).
type normBackward struct {
	dx, dy, x, w, rstd []float32
	width              int
	add                bool
}

// Do handles the rows lo <= r < hi.
func (o *normBackward) Do(_, lo, hi int) {
	w := o.w[:o.width]
	for r := lo; r < hi; r++ {
		x, dy, dx := o.x[r*o.width:][:len(w)], o.dy[r*o.width:][:len(w)], o.dx[r*o.width:][:len(w)]
		var sum float64
		for j, v := range dy {
			sum += float64(v * w[j] * x[j])
		}
		s := o.rstd[r]
		c := float32(sum/float64(o.width)) * s * s
		if !o.add {
			clear(dx)
		}
		for j, v := range dy {
			dx[j] += s * (v*w[j] - x[j]*c)
		}
	}
}

// normWeight adds the weight's gradient: dw += sum over rows of dy * x * rstd.
type normWeight struct {
	dw, dy, x, rstd []float32
	rows, width     int
}

// Do handles the columns lo <= j < hi of all rows, in order.
func (o *normWeight) Do(_, lo, hi int) {
	dw := o.dw[lo:hi]
	for r := range o.rows {
		x, dy, s := o.x[r*o.width+lo:][:len(dw)], o.dy[r*o.width+lo:][:len(dw)], o.rstd[r]
		for j := range dw {
			dw[j] += dy[j] * x[j] * s
		}
	}
}

func (e *Engine) normForward(y, x, w, rstd []float32, n int) {
	e.ops.norm = norm{y: y, x: x, w: w, rstd: rstd, width: e.model.HiddenSize, eps: e.model.NormEps}
	e.pool.Run(n, rowGrain, &e.ops.norm)
}

func (e *Engine) normBackward(dx, dy, x, w, dw, rstd []float32, n int, add bool) {
	h := e.model.HiddenSize
	e.ops.normBackward = normBackward{dx: dx, dy: dy, x: x, w: w, rstd: rstd, width: h, add: add}
	e.pool.Run(n, rowGrain, &e.ops.normBackward)
	e.ops.normWeight = normWeight{dw: dw, dy: dy, x: x, rstd: rstd, rows: n, width: h}
	e.pool.Run(h, columnGrain, &e.ops.normWeight)
}

// dot sums in float64, in four chains that the processor can overlap.
func dot(x, y []float32) float64 {
	var s0, s1, s2, s3 float64
	y = y[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += float64(x[i]) * float64(y[i])
		s1 += float64(x[i+1]) * float64(y[i+1])
		s2 += float64(x[i+2]) * float64(y[i+2])
		s3 += float64(x[i+3]) * float64(y[i+3])
	}
	for ; i < len(x); i++ {
		s0 += float64(x[i]) * float64(y[i])
	}
	return s0 + s1 + s2 + s3
}
