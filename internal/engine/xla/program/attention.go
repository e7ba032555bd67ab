package program

import (
	"math"

	"templar/internal/engine/xla/hlo"
)

// attention is what its backward pass needs: q [B, T, N, D] and k, v [B, T, K, D], rotated, mix as q, and
// either the probabilities p [B, K, T, G, T] or the logarithms of their sums [B, N, T]; G is N/K.
type attention struct{ q, k, v, mix, p, sums hlo.Value }

// attend is softmax(q k / sqrt(D), causal) v.
func (l *llama) attend(q, k, v hlo.Value) attention {
	if l.s.Fused {
		return l.fused(q, k, v)
	}
	b, t, kv, g, d := l.s.Rows, l.s.Cols, l.m.KVHeads, l.m.Heads/l.m.KVHeads, l.m.HeadDim()
	if l.mask.Name == "" {
		l.mask = l.Compare("GE", l.Iota([]int{t, t}, 0), l.Iota([]int{t, t}, 1))
	}
	grouped := l.Reshape(q, b, t, kv, g, d)
	shape := []int{b, kv, t, g, t}
	s := l.Dot(hlo.F32, grouped, k, hlo.Axes{BatchA: []int{0, 2}, BatchB: []int{0, 2}, OverA: []int{4}, OverB: []int{3}})
	s = l.Mul(s, l.Float(1/math.Sqrt(float64(d)), shape...))
	s = l.Select(l.Broadcast(l.mask, shape, 2, 4), s, l.Float(-1e30, shape...))
	e := l.Unary("exponential", l.Sub(s, l.Broadcast(l.Highest(s, 4), shape, 0, 1, 2, 3)))
	p := l.low(l.Div(e, l.Broadcast(l.Sum(e, 4), shape, 0, 1, 2, 3)))
	mix := l.Dot(l.s.Kind, p, v, hlo.Axes{BatchA: []int{0, 1}, BatchB: []int{0, 2}, OverA: []int{4}, OverB: []int{1}}) // [B, K, T, G, D]
	mix = l.Reshape(l.Transpose(mix, 0, 2, 1, 3, 4), b, t, l.m.Heads, d)
	return attention{q: q, k: k, v: v, mix: mix, p: p}
}

// attendBackward returns the gradients of q, k and v for that of the mix.
func (l *llama) attendBackward(a attention, dmix hlo.Value) (dq, dk, dv hlo.Value) {
	if l.s.Fused {
		return l.fusedBackward(a, dmix)
	}
	b, t, kv, g, d := l.s.Rows, l.s.Cols, l.m.KVHeads, l.m.Heads/l.m.KVHeads, l.m.HeadDim()
	q, mix := l.Reshape(a.q, b, t, kv, g, d), l.Reshape(a.mix, b, t, kv, g, d)
	dmix = l.Reshape(dmix, b, t, kv, g, d)
	dp := l.Dot(hlo.F32, dmix, a.v, hlo.Axes{BatchA: []int{0, 2}, BatchB: []int{0, 2}, OverA: []int{4}, OverB: []int{3}}) // [B, K, T, G, T]
	// The inner sum is a product of mix and its gradient (docs/engine.md).
	inner := l.Transpose(l.Sum(l.Mul(l.f32(dmix), l.f32(mix)), 4), 0, 2, 1, 3)
	ds := l.Mul(l.f32(a.p), l.Sub(dp, l.Broadcast(inner, dp.Shape, 0, 1, 2, 3)))
	ds = l.low(l.Mul(ds, l.Float(1/math.Sqrt(float64(d)), ds.Shape...)))
	dq = l.Transpose(l.Dot(l.s.Kind, ds, a.k, hlo.Axes{BatchA: []int{0, 1}, BatchB: []int{0, 2}, OverA: []int{4}, OverB: []int{1}}), 0, 2, 1, 3, 4)
	queries := hlo.Axes{BatchA: []int{0, 1}, BatchB: []int{0, 2}, OverA: []int{2, 3}, OverB: []int{1, 3}}
	dk = l.Transpose(l.Dot(l.s.Kind, ds, q, queries), 0, 2, 1, 3)
	dv = l.Transpose(l.Dot(l.s.Kind, a.p, dmix, queries), 0, 2, 1, 3)
	return l.Reshape(dq, b, t, l.m.Heads, d), dk, dv
}
