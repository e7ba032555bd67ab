package cpu

import "context"

// Tokens, or columns, that a worker takes at once.
const (
	rowGrain    = 16
	columnGrain = 32
)

// forward computes the residual stream after the last layer into act.top. Layers
// share activations, and inputs, where reserve made room for fewer.
func (e *Engine) forward(ctx context.Context, params []float32, inputs []int32) error {
	a, h := &e.act, e.model.HiddenSize
	e.ops.embed = embed{y: a.ins[0], table: params[e.index.embed:], tokens: inputs, width: h}
	e.pool.Run(len(inputs), rowGrain, &e.ops.embed)
	for i := range e.index.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		act, out := e.layer(i), a.top
		if i+1 < len(e.index.layers) {
			out = a.ins[(i+1)%len(a.ins)]
		}
		e.attentionForward(&e.index.layers[i], act, params, len(inputs))
		e.mlpForward(&e.index.layers[i], act, out, params, len(inputs))
	}
	return nil
}

// layer is the memory of layer i.
func (e *Engine) layer(i int) *activations {
	act := &e.act.layers[i%len(e.act.layers)]
	act.in = e.act.ins[i%len(e.act.ins)]
	return act
}

// attentionForward computes mid = in + O(attention(norm(in))).
func (e *Engine) attentionForward(l *layerIndex, act *activations, params []float32, n int) {
	h := e.model.HiddenSize
	e.normForward(act.normed, act.in, params[l.attnNorm:], act.rstd, act.mid, n)
	e.linear(act.qkv, act.normed, params[l.qkv:], n, e.qkvWidth(), h, false)
	e.rotate(act.qkv, n, 1)
	e.ops.attend = attend{e.heads(act)}
	e.pool.Run(e.act.rows*e.model.Heads, 1, &e.ops.attend)
	e.linear(act.mid, act.mix, params[l.o:], n, h, h, true)
}

// mlpForward computes out = mid + down(silu(gate(norm(mid))) * up(norm(mid))).
func (e *Engine) mlpForward(l *layerIndex, act *activations, out, params []float32, n int) {
	e.mlpHidden(l, act, out, params, n)
	e.linear(out, act.hidden, params[l.down:], n, e.model.HiddenSize, e.model.IntermediateSize, true)
}

// mlpHidden computes the input of the last product, and copies mid to residual unless it is nil.
func (e *Engine) mlpHidden(l *layerIndex, act *activations, residual, params []float32, n int) {
	h, inner := e.model.HiddenSize, e.model.IntermediateSize
	e.normForward(act.normed2, act.mid, params[l.mlpNorm:], act.rstd2, residual, n)
	e.linear(act.gateUp, act.normed2, params[l.gateUp:], n, 2*inner, h, false)
	e.ops.swiglu = swiglu{hidden: act.hidden, gateUp: act.gateUp, width: inner}
	e.pool.Run(n, rowGrain, &e.ops.swiglu)
}
