package cpu

import "context"

// backward takes act.dx, the gradient of the residual stream after the last layer,
// down to the embedding, and adds every weight's gradient to grads.
func (e *Engine) backward(ctx context.Context, params, grads []float32, inputs []int32) error {
	for i := len(e.index.layers) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.mlpBackward(&e.index.layers[i], &e.act.layers[i], params, grads, len(inputs))
		e.attentionBackward(&e.index.layers[i], &e.act.layers[i], params, grads, len(inputs))
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
	e.ops.swigluBack = swigluBackward{dhidden: a.dhidden, hidden: act.hidden, gate: act.gate, up: act.up, width: inner}
	e.pool.Run(n, rowGrain, &e.ops.swigluBack)
	dgate, dup := act.gate, act.up // overwritten by their gradients
	e.linearInput(a.dy, dgate, params[l.gate:], n, inner, h, false)
	e.linearInput(a.dy, dup, params[l.up:], n, inner, h, true)
	e.linearWeight(grads[l.gate:], dgate, act.normed2, n, inner, h)
	e.linearWeight(grads[l.up:], dup, act.normed2, n, inner, h)
	e.normBackward(a.dx, a.dy, act.mid, params[l.mlpNorm:], grads[l.mlpNorm:], act.rstd2, n, true)
}

// attentionBackward turns dx, the gradient of mid, into that of in.
func (e *Engine) attentionBackward(l *layerIndex, act *activations, params, grads []float32, n int) {
	a, h, kv := &e.act, e.model.HiddenSize, e.model.KVHeads*e.model.HeadDim()
	e.linearInput(a.dmix, a.dx, params[l.o:], n, h, h, false)
	e.linearWeight(grads[l.o:], a.dx, act.mix, n, h, h)
	e.ops.attendBack = attendBackward{heads: e.heads(act), dmix: a.dmix, dq: a.dq, dk: a.dk, dv: a.dv}
	e.pool.Run(a.rows*e.model.KVHeads, 1, &e.ops.attendBack)
	e.rotate(a.dq, e.model.Heads, n, -1)
	e.rotate(a.dk, e.model.KVHeads, n, -1)
	e.linearInput(a.dy, a.dq, params[l.q:], n, h, h, false)
	e.linearInput(a.dy, a.dk, params[l.k:], n, kv, h, true)
	e.linearInput(a.dy, a.dv, params[l.v:], n, kv, h, true)
	e.linearWeight(grads[l.q:], a.dq, act.normed, n, h, h)
	e.linearWeight(grads[l.k:], a.dk, act.normed, n, kv, h)
	e.linearWeight(grads[l.v:], a.dv, act.normed, n, kv, h)
	e.normBackward(a.dx, a.dy, act.in, params[l.attnNorm:], grads[l.attnNorm:], act.rstd, n, true)
}
