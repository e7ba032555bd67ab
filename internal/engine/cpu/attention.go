package cpu

import (
	"math"

	"templar/internal/kernel/gemm"
	"templar/internal/kernel/nn"
)

// heads is causal attention with grouped queries (Ainslie et al. 2023): head n of
// the queries attends to head n/(N/K) of keys and values. Scores exist for a strip of
// rows at a time; backward computes them again from lse.
type heads struct {
	qkv    []float32 // [R, (N+2K)*D]
	mix    []float32 // [R, N*D]
	lse    []float32 // [R, N]
	strips []strip

	cols, n, kv, dim int
	scale            float32 // 1/sqrt(D)
}

func (e *Engine) heads(act *activations) heads {
	d := e.model.HeadDim()
	return heads{
		qkv: act.qkv, mix: act.mix, lse: act.lse, strips: e.act.strips,
		cols: e.act.cols, n: e.model.Heads, kv: e.model.KVHeads, dim: d, scale: float32(1 / math.Sqrt(float64(d))),
	}
}

// query, key and value view a head in qkv, or in its gradient, for one sequence: [T, D].
func (o *heads) query(x []float32, seq, h int) gemm.Matrix { return o.head(x, seq, h, o.n+2*o.kv) }
func (o *heads) key(x []float32, seq, h int) gemm.Matrix   { return o.head(x, seq, o.n+h, o.n+2*o.kv) }
func (o *heads) value(x []float32, seq, h int) gemm.Matrix {
	return o.head(x, seq, o.n+o.kv+h, o.n+2*o.kv)
}

// head views head h of n in x [R, n*D] for one sequence, [T, D].
func (o *heads) head(x []float32, seq, h, n int) gemm.Matrix {
	return gemm.Matrix{Data: x[seq*o.cols*n*o.dim+h*o.dim:], Rows: o.cols, Cols: o.dim, RowStride: n * o.dim, ColStride: 1}
}

// attend computes mix = softmax(scale * q*kT, causal) * v for each sequence and head.
type attend struct{ heads }

// Do handles the (sequence, query head) pairs lo <= i < hi.
func (o *attend) Do(worker, lo, hi int) {
	s := &o.strips[worker]
	for i := lo; i < hi; i++ {
		seq, h := i/o.n, i%o.n
		shared := h / (o.n / o.kv)
		q, k, v := o.query(o.qkv, seq, h), o.key(o.qkv, seq, shared), o.value(o.qkv, seq, shared)
		mix := o.head(o.mix, seq, h, o.n)
		for t := 0; t < o.cols; t += stripRows {
			n := min(stripRows, o.cols-t)
			p := gemm.Dense(s.p, n, t+n)
			s.mul.Mul(p, q.Sub(t, 0, n, o.dim), k.Sub(0, 0, t+n, o.dim).T(), false)
			for r := range n {
				row := p.Data[r*p.Cols:][:p.Cols]
				o.lse[(seq*o.cols+t+r)*o.n+h] = float32(nn.Softmax(row[:t+r+1], o.scale, 1))
				clear(row[t+r+1:])
			}
			s.mul.Mul(mix.Sub(t, 0, n, o.dim), p, v.Sub(0, 0, t+n, o.dim), false)
		}
	}
}

// attendBackward computes, with P the probabilities, for each sequence and head:
// dv = PT*dmix, dP = dmix*vT, dS = scale * P * (dP - rowsum(dP*P)), dq = dS*k and
// dk = dST*q, where rowsum(dP*P) = rowsum(dmix*mix). Shapes as in heads.
type attendBackward struct {
	heads
	dmix, dqkv []float32
}

// Do handles the (sequence, key-value head) pairs lo <= i < hi, with all query heads
// that share it.
func (o *attendBackward) Do(worker, lo, hi int) {
	group := o.n / o.kv
	for i := lo; i < hi; i++ {
		for h := i % o.kv * group; h < (i%o.kv+1)*group; h++ {
			o.queryHead(&o.strips[worker], i/o.kv, h, h%group == 0)
		}
	}
}

// queryHead adds what one query head contributes. Strips run from the last to the first: the last
// reaches all keys, so that it can set dk and dv and the others add.
func (o *attendBackward) queryHead(s *strip, seq, h int, first bool) {
	shared := h / (o.n / o.kv)
	q, k, v := o.query(o.qkv, seq, h), o.key(o.qkv, seq, shared), o.value(o.qkv, seq, shared)
	dq, dk, dv := o.query(o.dqkv, seq, h), o.key(o.dqkv, seq, shared), o.value(o.dqkv, seq, shared)
	mix, dmix := o.head(o.mix, seq, h, o.n), o.head(o.dmix, seq, h, o.n)
	for t := (o.cols - 1) / stripRows * stripRows; t >= 0; t -= stripRows {
		n := min(stripRows, o.cols-t)
		m := t + n
		add := !first || m < o.cols
		p, dp := gemm.Dense(s.p, n, m), gemm.Dense(s.dp, n, m)
		qt, dmixt := q.Sub(t, 0, n, o.dim), dmix.Sub(t, 0, n, o.dim)
		s.mul.Mul(p, qt, k.Sub(0, 0, m, o.dim).T(), false)
		s.mul.Mul(dp, dmixt, v.Sub(0, 0, m, o.dim).T(), false)
		for r := range n {
			row := p.Data[r*m:][:m]
			nn.Exp(row, row[:t+r+1], o.scale, o.lse[(seq*o.cols+t+r)*o.n+h])
			clear(row[t+r+1:])
			at := r + t
			mean := nn.Dot(mix.Data[at*mix.RowStride:][:o.dim], dmix.Data[at*dmix.RowStride:][:o.dim])
			nn.ScoreGradient(dp.Data[r*m:][:m], row, float32(mean), o.scale)
		}
		s.mul.Mul(dv.Sub(0, 0, m, o.dim), p.T(), dmixt, add)
		s.mul.Mul(dq.Sub(t, 0, n, o.dim), dp, k.Sub(0, 0, m, o.dim), false)
		s.mul.Mul(dk.Sub(0, 0, m, o.dim), dp.T(), qt, add)
	}
}
