package program

import "templar/internal/engine/xla/hlo"

// scored is the losses [B, T], and the gradient of the input of the last norm.
type scored struct{ losses, dx hlo.Value }

// score computes the losses from the input of the last norm, x [R, H], and with g also their
// gradient. It goes through pieces of columns, one behind the other, so that the logits of the
// whole batch are never in memory at once.
func (l *llama) score(x, targets hlo.Value, g *gradient) (out scored) {
	b, t, h := l.s.Rows, l.s.Cols, l.m.HiddenSize
	piece := l.s.HeadCols
	if piece <= 0 || piece > t {
		piece = t
	}
	x = l.Reshape(x, b, t, h)
	var losses, dx []hlo.Value
	for lo := 0; lo < t; lo += piece {
		hi := min(lo+piece, t)
		n := b * (hi - lo)
		part := l.Slice(x, 1, lo, hi)
		switch {
		case lo == 0:
		case g == nil:
			part = l.Barrier(part, losses[len(losses)-1])[0]
		default:
			behind := l.Barrier(part, g.sum[l.head()], dx[len(dx)-1])
			part, g.sum[l.head()], dx[len(dx)-1] = behind[0], behind[1], behind[2]
		}
		loss, d := l.piece(l.Reshape(part, n, h), l.Reshape(l.Slice(targets, 1, lo, hi), n), g)
		losses = append(losses, l.Reshape(loss, b, hi-lo))
		if g != nil {
			dx = append(dx, l.Reshape(d, b, hi-lo, h))
		}
	}
	out.losses = l.Concat(1, losses...)
	if g != nil {
		out.dx = l.rowsOf(l.Reshape(l.Concat(1, dx...), l.n, h))
	}
	return out
}

// piece scores the rows x [n, H].
func (l *llama) piece(x, targets hlo.Value, g *gradient) (losses, dx hlo.Value) {
	n := x.Shape[0]
	shape := []int{n, l.m.VocabSize}
	a := l.norm(x, finalNorm)
	logits := l.Dot(hlo.F32, a.y, l.weight(l.head()), hlo.Axes{OverA: []int{1}, OverB: []int{1}})
	top := l.Highest(logits, 1)
	e := l.Unary("exponential", l.Sub(logits, l.Broadcast(top, shape, 0)))
	sum := l.Sum(e, 1)
	hot := l.Compare("EQ", l.Iota(shape, 1), l.Broadcast(targets, shape, 0))
	zeros := l.Float(0, shape...)
	of := l.Sum(l.Select(hot, logits, zeros), 1)
	counted := l.Compare("GE", targets, l.Constant(hlo.I32, "0", n))
	losses = l.Select(counted, l.Sub(l.Add(l.Unary("log", sum), top), of), l.Float(0, n))
	if g == nil {
		return losses, hlo.Value{}
	}
	factor := l.Select(counted, l.Broadcast(g.scale, []int{n}), l.Float(0, n))
	dz := l.Sub(l.Div(e, l.Broadcast(sum, shape, 0)), l.Select(hot, l.Float(1, shape...), zeros))
	dz = l.low(l.Mul(dz, l.Broadcast(factor, shape, 0)))
	l.linearWeight(g, l.head(), dz, a.y)
	return losses, l.normBackward(g, l.linearInput(dz, l.head()), a, finalNorm)
}
