package cpu

import "context"

// Tokens, or columns, that a worker takes at once.
const (
	rowGrain    = 16
	columnGrain = 32
)

// forward computes the residual stream after the last layer into act.top. Layers
// share activations where reserve made room for fewer.
func (e *Engine) forward(ctx context.Context, params []float32, inputs []int32) error {
	a, h := &e.act, e.model.HiddenSize
	e.ops.embed = embed{y: a.layers[0].in, table: params[e.index.embed:], tokens: inputs, width: h}
	e.pool.Run(len(inputs), rowGrain, &e.ops.embed)
	for i := range e.index.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		act, out := &a.layers[i%len(a.layers)], a.top
		if i+1 < len(e.index.layers) {
			out = a.layers[(i+1)%len(a.layers)].in
		}
		e.attentionForward(&e.index.layers[i], act, params, len(inputs))
		e.mlpForward(&e.index.layers[i], act, out, params, len(inputs))
	}
	return nil
}

// attentionForward computes mid = in + O(attention(norm(in))).
func (e *Engine) attentionForward(l *layerIndex, act *activations, params []float32, n int) {
	h, kv := e.model.HiddenSize, e.model.KVHeads*e.model.HeadDim()
	e.normForward(act.normed, act.in, params[l.attnNorm:], act.rstd, n)
	e.linear(act.q, act.normed, params[l.q:], n, h, h, false)
	e.linear(act.k, act.normed, params[l.k:], n, kv, h, false)
	e.linear(act.v, act.normed, params[l.v:], n, kv, h, false)
	e.rotate(act.q, e.model.Heads, n, 1)
	e.rotate(act.k, e.model.KVHeads, n, 1)
	e.ops.attend = attend{e.heads(act)}
	e.pool.Run(e.act.rows*e.model.Heads, 1, &e.ops.attend)
	copy(act.mid[:n*h], act.in)
	e.linear(act.mid, act.mix, params[l.o:], n, h, h, true)
}

// mlpForward computes out = mid + down(silu(gate(norm(mid))) * up(norm(mid))).
func (e *Engine) mlpForward(l *layerIndex, act *activations, out, params []float32, n int) {
	h, inner := e.model.HiddenSize, e.model.IntermediateSize
	e.normForward(act.normed2, act.mid, params[l.mlpNorm:], act.rstd2, n)
	e.linear(act.gate, act.normed2, params[l.gate:], n, inner, h, false)
	e.linear(act.up, act.normed2, params[l.up:], n, inner, h, false)
	e.ops.swiglu = swiglu{hidden: act.hidden, gate: act.gate, up: act.up, width: inner}
	e.pool.Run(n, rowGrain, &e.ops.swiglu)
	copy(out[:n*h], act.mid)
	e.linear(out, act.hidden, params[l.down:], n, h, inner, true)
}
