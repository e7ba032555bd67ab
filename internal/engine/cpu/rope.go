package cpu

import "templar/internal/kernel/nn"

// rope rotates pairs of a head's values in place by position-dependent angles (Su et
// al. 2021), in Hugging Face's convention: the value i of the first half of a head
// goes with the value i of the second. It turns the first heads of x [R, width], cos and
// sin are [T, D/2]. The backward pass rotates by the negative angles: sign -1.
type rope struct {
	x, cos, sin        []float32
	cols, heads, width int
	half               int // D/2
	sign               float32
}

// Do rotates the tokens lo <= r < hi.
func (o *rope) Do(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		t := r % o.cols * o.half
		cos, sin := o.cos[t:][:o.half], o.sin[t:][:o.half]
		for h := range o.heads {
			x := o.x[r*o.width+h*2*o.half:][:2*o.half]
			nn.Rotate(x[:o.half], x[o.half:], cos, sin, o.sign)
		}
	}
}

// rotate turns the queries and keys of n tokens, or their gradients.
func (e *Engine) rotate(qkv []float32, n int, sign float32) {
	a, m := &e.act, &e.model
	e.ops.rope = rope{x: qkv, cos: a.cos, sin: a.sin, cols: a.cols, heads: m.Heads + m.KVHeads, width: e.qkvWidth(), half: m.HeadDim() / 2, sign: sign}
	e.pool.Run(n, rowGrain, &e.ops.rope)
}
