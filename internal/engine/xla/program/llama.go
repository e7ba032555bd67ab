package program

import (
	"fmt"
	"math"

	"templar/internal/engine/xla/hlo"
	"templar/protocol"
)

// llama writes the program of a batch.
type llama struct {
	function
	m       protocol.Model
	s       Shape
	n       int // tokens
	layout  protocol.Layout
	params  map[string]hlo.Value
	weights map[string]hlo.Value // in the kind of products
	cos     hlo.Value            // [T, D/2]
	sin     hlo.Value
	mask    hlo.Value // [T, T]
}

func newLlama(m protocol.Model, s Shape) *llama {
	s.Devices = max(s.Devices, 1)
	l := &llama{m: m, s: s, n: s.Rows * s.Cols, layout: m.Layout(), params: map[string]hlo.Value{}, weights: map[string]hlo.Value{}}
	l.devices, l.Exact = s.Devices, s.Kind == hlo.F32
	return l
}

const (
	embedding = "model.embed_tokens.weight"
	finalNorm = "model.norm.weight"
)

func (l *llama) head() string {
	if l.m.TieEmbeddings {
		return embedding
	}
	return "lm_head.weight"
}

func (l *llama) program(backward bool) string {
	for i, p := range l.vector("p", l.layout, -1) {
		l.params[l.layout[i].Name] = p
	}
	split := l.devices > 1
	batch, table := []int{l.s.Rows, l.s.Cols}, []int{l.s.Cols, l.m.HeadDim() / 2}
	inputs, targets := l.arg("inputs", hlo.I32, batch, split, -1), l.arg("targets", hlo.I32, batch, split, -1)
	l.cos, l.sin = l.arg("cos", hlo.F32, table, false, -1), l.arg("sin", hlo.F32, table, false, -1)
	tokens := l.Reshape(inputs, l.n)
	if !backward {
		x, _ := l.forward(tokens)
		l.result(l.score(x, targets, nil).losses, split)
		return l.module("loss")
	}
	g := &gradient{sum: map[string]hlo.Value{}, scale: l.arg("scale", hlo.F32, nil, false, -1)}
	for i, v := range l.vector("g", l.layout, 1) {
		g.sum[l.layout[i].Name] = v
	}
	x, layers := l.forward(tokens)
	scored := l.score(x, targets, g)
	l.result(scored.losses, split)
	l.backward(scored.dx, layers, tokens, g)
	for _, t := range l.layout {
		l.result(g.sum[t.Name], Split(t, l.devices))
	}
	return l.module("gradient")
}

// gradient is the gradient so far.
type gradient struct {
	sum   map[string]hlo.Value
	scale hlo.Value
}

// add adds to the gradient of a tensor.
func (l *llama) add(g *gradient, name string, d hlo.Value) { g.sum[name] = l.Add(g.sum[name], d) }

// weight is a matrix in the kind of products, whole on each device.
func (l *llama) weight(name string) hlo.Value {
	if w, ok := l.weights[name]; ok {
		return w
	}
	w := l.Convert(l.params[name], l.s.Kind)
	if l.devices > 1 {
		w = l.Place(w, false)
	}
	l.weights[name] = w
	return w
}

// rowsOf keeps activations on the devices of their rows.
func (l *llama) rowsOf(x hlo.Value) hlo.Value {
	if l.devices > 1 {
		return l.Place(x, true)
	}
	return x
}

// linear is x [R, in] times w [out, in] transposed.
func (l *llama) linear(x hlo.Value, w string) hlo.Value {
	return l.Dot(l.s.Kind, x, l.weight(w), hlo.Axes{OverA: []int{1}, OverB: []int{1}})
}

// linearInput is dy [R, out] times w [out, in].
func (l *llama) linearInput(dy hlo.Value, w string) hlo.Value {
	return l.Dot(l.s.Kind, dy, l.weight(w), hlo.Axes{OverA: []int{1}, OverB: []int{0}})
}

// linearWeight adds dy transposed times x, [out, in], summed in float32, to the gradient of w.
func (l *llama) linearWeight(g *gradient, w string, dy, x hlo.Value) {
	l.add(g, w, l.Dot(hlo.F32, dy, x, hlo.Axes{OverA: []int{0}, OverB: []int{0}}))
}

func (l *llama) f32(x hlo.Value) hlo.Value { return l.Convert(x, hlo.F32) }
func (l *llama) low(x hlo.Value) hlo.Value { return l.Convert(x, l.s.Kind) }

// along repeats v [R] over the columns of [R, width].
func (l *llama) along(v hlo.Value, width int) hlo.Value {
	return l.Broadcast(v, []int{v.Shape[0], width}, 0)
}

// under repeats v [width] over n rows.
func (l *llama) under(v hlo.Value, n int) hlo.Value {
	return l.Broadcast(v, []int{n, v.Shape[0]}, 1)
}

// normed is x [R, H] normalised, and what backward needs.
type normed struct{ x, rstd, y hlo.Value }

// norm returns y in the kind of products.
func (l *llama) norm(x hlo.Value, w string) normed {
	n, h := x.Shape[0], x.Shape[1]
	mean := l.Div(l.Sum(l.Mul(x, x), 1), l.Float(float64(h), n))
	rstd := l.Unary("rsqrt", l.Add(mean, l.Float(l.m.NormEps, n)))
	return normed{x, rstd, l.low(l.Mul(l.Mul(x, l.along(rstd, h)), l.under(l.params[w], n)))}
}

// normBackward adds to the gradient of w and returns dx.
func (l *llama) normBackward(g *gradient, dy hlo.Value, a normed, w string) hlo.Value {
	n, h := a.x.Shape[0], a.x.Shape[1]
	dy = l.f32(dy)
	scaled := l.Mul(a.x, l.along(a.rstd, h))
	l.add(g, w, l.Sum(l.Mul(dy, scaled), 0))
	d := l.Mul(dy, l.under(l.params[w], n))
	mean := l.Div(l.Sum(l.Mul(d, scaled), 1), l.Float(float64(h), n))
	return l.Mul(l.along(a.rstd, h), l.Sub(d, l.Mul(scaled, l.along(mean, h))))
}

// rotate turns x [B, T, heads, D] by the angles of the positions, or back.
func (l *llama) rotate(x hlo.Value, back bool) hlo.Value {
	half := l.m.HeadDim() / 2
	shape := []int{x.Shape[0], x.Shape[1], x.Shape[2], half}
	x = l.f32(x)
	a, b := l.Slice(x, 3, 0, half), l.Slice(x, 3, half, 2*half)
	cos, sin := l.Broadcast(l.cos, shape, 1, 3), l.Broadcast(l.sin, shape, 1, 3)
	if back {
		sin = l.Unary("negate", sin)
	}
	return l.low(l.Concat(3, l.Sub(l.Mul(a, cos), l.Mul(b, sin)), l.Add(l.Mul(b, cos), l.Mul(a, sin))))
}

// layer is what the backward pass of a layer needs of its forward pass.
type layer struct {
	first       normed
	attention   attention
	second      normed
	gate, up, h hlo.Value // gate and up before the activation; h behind it
}

func (l *llama) name(i int, of string) string {
	return fmt.Sprintf("model.layers.%d.%s.weight", i, of)
}

// forward returns the input of the last norm, and each layer's activations.
func (l *llama) forward(tokens hlo.Value) (x hlo.Value, layers []*layer) {
	table := l.params[embedding]
	if l.devices > 1 {
		table = l.Place(table, false)
	}
	x = l.rowsOf(l.Rows(table, tokens))
	layers = make([]*layer, l.m.Layers)
	for i := range layers {
		layers[i], x = l.layer(i, x)
	}
	return x, layers
}

// layer computes layer i.
func (l *llama) layer(i int, x hlo.Value) (a *layer, y hlo.Value) {
	b, t, dim := l.s.Rows, l.s.Cols, l.m.HeadDim()
	heads := func(v hlo.Value, n int) hlo.Value { return l.Reshape(v, b, t, n, dim) }
	a = &layer{first: l.norm(x, l.name(i, "input_layernorm"))}
	q := l.rotate(heads(l.linear(a.first.y, l.name(i, "self_attn.q_proj")), l.m.Heads), false)
	k := l.rotate(heads(l.linear(a.first.y, l.name(i, "self_attn.k_proj")), l.m.KVHeads), false)
	v := heads(l.linear(a.first.y, l.name(i, "self_attn.v_proj")), l.m.KVHeads)
	a.attention = l.attend(q, k, v)
	mix := l.Reshape(a.attention.mix, l.n, l.m.HiddenSize)
	x = l.Add(x, l.f32(l.linear(mix, l.name(i, "self_attn.o_proj"))))
	a.second = l.norm(x, l.name(i, "post_attention_layernorm"))
	a.gate, a.up = l.linear(a.second.y, l.name(i, "mlp.gate_proj")), l.linear(a.second.y, l.name(i, "mlp.up_proj"))
	gate := l.f32(a.gate)
	a.h = l.low(l.Mul(l.Mul(gate, l.Unary("logistic", gate)), l.f32(a.up)))
	return a, l.rowsOf(l.Add(x, l.f32(l.linear(a.h, l.name(i, "mlp.down_proj")))))
}

// backward adds the gradients of all but the head and the last norm. dx is that of the last
// layer's output.
func (l *llama) backward(dx hlo.Value, layers []*layer, tokens hlo.Value, g *gradient) {
	for i := len(layers) - 1; i >= 0; i-- {
		a := layers[i]
		if l.s.Recompute {
			// The compiler must neither take the values of the forward pass for these, nor compute
			// them before dx is there.
			behind := l.Barrier(a.first.x, dx)
			dx = behind[1]
			a, _ = l.layer(i, behind[0])
		}
		dx = l.mlpBackward(i, a, dx, g)
		dx = l.rowsOf(l.attentionBackward(i, a, dx, g))
	}
	g.sum[embedding] = l.AddRows(g.sum[embedding], tokens, dx)
}

func (l *llama) mlpBackward(i int, a *layer, dx hlo.Value, g *gradient) hlo.Value {
	dy := l.low(dx)
	l.linearWeight(g, l.name(i, "mlp.down_proj"), dy, a.h)
	dh := l.f32(l.linearInput(dy, l.name(i, "mlp.down_proj")))
	gate, up := l.f32(a.gate), l.f32(a.up)
	sigma := l.Unary("logistic", gate)
	one := l.Float(1, gate.Shape...)
	du := l.low(l.Mul(dh, l.Mul(gate, sigma)))
	dg := l.low(l.Mul(l.Mul(dh, up), l.Mul(sigma, l.Add(one, l.Mul(gate, l.Sub(one, sigma))))))
	l.linearWeight(g, l.name(i, "mlp.gate_proj"), dg, a.second.y)
	l.linearWeight(g, l.name(i, "mlp.up_proj"), du, a.second.y)
	dn := l.Add(l.f32(l.linearInput(dg, l.name(i, "mlp.gate_proj"))), l.f32(l.linearInput(du, l.name(i, "mlp.up_proj"))))
	return l.Add(dx, l.normBackward(g, dn, a.second, l.name(i, "post_attention_layernorm")))
}

func (l *llama) attentionBackward(i int, a *layer, dx hlo.Value, g *gradient) hlo.Value {
	dy := l.low(dx)
	l.linearWeight(g, l.name(i, "self_attn.o_proj"), dy, l.Reshape(a.attention.mix, l.n, l.m.HiddenSize))
	dmix := l.Reshape(l.linearInput(dy, l.name(i, "self_attn.o_proj")), l.s.Rows, l.s.Cols, l.m.Heads, l.m.HeadDim())
	dq, dk, dv := l.attendBackward(a.attention, dmix)
	flat := func(v hlo.Value, heads int) hlo.Value { return l.Reshape(v, l.n, heads*l.m.HeadDim()) }
	var dn hlo.Value
	for _, of := range []struct {
		name string
		dy   hlo.Value
	}{
		{"self_attn.q_proj", flat(l.rotate(dq, true), l.m.Heads)}, {"self_attn.k_proj", flat(l.rotate(dk, true), l.m.KVHeads)},
		{"self_attn.v_proj", flat(dv, l.m.KVHeads)},
	} {
		w := l.name(i, of.name)
		l.linearWeight(g, w, of.dy, a.first.y)
		if d := l.f32(l.linearInput(of.dy, w)); dn.Name == "" {
			dn = d
		} else {
			dn = l.Add(dn, d)
		}
	}
	return l.Add(dx, l.normBackward(g, dn, a.first, l.name(i, "input_layernorm")))
}

// Tables are cos and sin of position * theta^(-2i/D), [cols, D/2]. Angles are rounded to float32
// as Hugging Face computes them.
func Tables(m protocol.Model, cols int) (cos, sin []float32) {
	half := m.HeadDim() / 2
	cos, sin = make([]float32, cols*half), make([]float32, cols*half)
	for i := range half {
		inv := float32(1 / math.Pow(m.RopeTheta, float64(2*i)/float64(m.HeadDim())))
		for t := range cols {
			angle := float64(float32(t) * inv)
			cos[t*half+i], sin[t*half+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
	}
	return cos, sin
}
