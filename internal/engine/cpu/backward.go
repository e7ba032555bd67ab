package cpu

import "context"

// backward takes act.dx, the gradient of the residual stream after the last layer,
// down to the embedding, and adds every weight's gradient to grads. Where layers share their
// activations, those of a layer are computed again from its input: the same operations on the
// same values, and so the same bits. The last layer's are still there.
func (e *Engine) backward(ctx context.Context, params, grads []float32, inputs []int32) error {
	last := len(e.index.layers) - 1
	for i := last; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		l, act := &e.index.layers[i], e.layer(i)
		if len(e.act.layers) == 1 && i < last {
			e.attentionForward(l, act, params, len(inputs))
			e.mlpHidden(l, act, nil, params, len(inputs))
		}
		e.mlpBackward(l, act, params, grads, len(inputs))
		e.attentionBackward(l, act, params, grads, len(inputs))
	}
	h := e.model.HiddenSize
	e.ops.embedBackward = embedBackward{table: grads[e.index.embed:], dy: e.act.dx, tokens: inputs, width: h}
	e.pool.Run(h, columnGrain, &e.ops.embedBackward)
	return nil
}

// mlpBackward turns dx, the gradient of out, into that of mid.
func (e *Engine) mlpBackward(l *layerIndex, act *activations, params, grads []float32, n int) {
	a, h, inner := &e.act, e.model.HiddenSize, e.model.IntermediateSize
	e.linearInput(a.dhidden, a.dx, params[l.down:], n, h, inner, false)
	e.linearWeight(grads[l.down:], a.dx, act.hidden, n, h, inner)
	e.ops.swigluBack = swigluBackward{dhidden: a.dhidden, hidden: act.hidden, gateUp: act.gateUp, width: inner}
	e.pool.Run(n, rowGrain, &e.ops.swigluBack)
	dgateUp := act.gateUp // overwritten by its gradient
	e.linearInput(a.dy, dgateUp, params[l.gateUp:], n, 2*inner, h, false)
	e.linearWeight(grads[l.gateUp:], dgateUp, act.normed2, n, 2*inner, h)
	e.normBackward(a.dx, a.dy, act.mid, params[l.mlpNorm:], grads[l.mlpNorm:], act.rstd2, n, true)
}

// attentionBackward turns dx, the gradient of mid, into that of in.
func (e *Engine) attentionBackward(l *layerIndex, act *activations, params, grads []float32, n int) {
	a, h, wide := &e.act, e.model.HiddenSize, e.qkvWidth()
	e.linearInput(a.dmix, a.dx, params[l.o:], n, h, h, false)
	e.linearWeight(grads[l.o:], a.dx, act.mix, n, h, h)
	e.ops.attendBack = attendBackward{heads: e.heads(act), dmix: a.dmix, dqkv: a.dqkv}
	e.pool.Run(a.rows*e.model.KVHeads, 1, &e.ops.attendBack)
	e.rotate(a.dqkv, n, -1)
	e.linearInput(a.dy, a.dqkv, params[l.qkv:], n, wide, h, false)
	e.linearWeight(grads[l.qkv:], a.dqkv, act.normed, n, wide, h)
	e.normBackward(a.dx, a.dy, act.in, params[l.attnNorm:], grads[l.attnNorm:], act.rstd, n, true)
}
