package cpu

import (
	"context"

	"templar/internal/engine"
	"templar/internal/kernel/nn"
)

// head computes the final norm, the logits and the loss; with grads also act.dx, the
// gradient of act.top, and the gradients of the norm and of the head's matrix. It
// works through the tokens in pieces, so that logits of all of them never exist.
func (e *Engine) head(ctx context.Context, params, grads []float32, targets []int32, losses []float64, scale float32) error {
	a, h, v, n := &e.act, e.model.HiddenSize, e.model.VocabSize, len(targets)
	w := params[e.index.head:]
	e.normForward(a.normed, a.top, params[e.index.norm:], a.rstd, nil, n)
	for r := 0; r < n; r += a.headRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := min(a.headRows, n-r)
		e.linear(a.logits, a.normed[r*h:], w, rows, v, h, false)
		e.ops.entropy = entropy{logits: a.logits, targets: targets[r:], losses: losses[r:], width: v, scale: scale}
		e.pool.Run(rows, rowGrain, &e.ops.entropy)
		if grads != nil {
			e.linearInput(a.dy[r*h:], a.logits, w, rows, v, h, false)
			e.linearWeight(grads[e.index.head:], a.logits, a.normed[r*h:], rows, v, h)
		}
	}
	if grads != nil {
		e.normBackward(a.dx, a.dy, a.top, params[e.index.norm:], grads[e.index.norm:], a.rstd, n, false)
	}
	return nil
}

// total sums in the order of the tokens.
func total(losses []float64, targets []int32) engine.Loss {
	var l engine.Loss
	for i, t := range targets {
		if t != engine.Ignore {
			l.Add(engine.Loss{Sum: losses[i], Tokens: 1})
		}
	}
	return l
}

// entropy computes the cross-entropy of logits [rows, V] against targets [rows] and
// overwrites the logits with scale times its gradient, softmax(logits) - onehot(target): zero
// for an ignored target.
type entropy struct {
	logits  []float32
	targets []int32
	losses  []float64
	width   int
	scale   float32
}

// Do handles the rows lo <= r < hi.
func (o *entropy) Do(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		x, t := o.logits[r*o.width:][:o.width], o.targets[r]
		if t == engine.Ignore {
			clear(x)
			continue
		}
		score := float64(x[t])
		o.losses[r] = nn.Softmax(x, 1, o.scale) - score
		x[t] -= o.scale
	}
}
