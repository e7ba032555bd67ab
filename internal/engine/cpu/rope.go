package cpu

// rope rotates pairs of a head's values in place by position-dependent angles (Su et
// al. 2021), in Hugging Face's convention: the value i of the first half of a head
// goes with the value i of the second. x [R, heads*D], cos and sin [T, D/2]. The
// backward pass rotates by the negative angles: sign -1.
type rope struct {
	x, cos, sin []float32
	cols, heads int
	half        int // D/2
	sign        float32
}

// Do rotates the tokens lo <= r < hi.
func (o *rope) Do(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		t := r % o.cols * o.half
		cos, sin := o.cos[t:][:o.half], o.sin[t:][:o.half]
		for h := range o.heads {
			x := o.x[(r*o.heads+h)*2*o.half:][:2*o.half]
			a, b := x[:o.half], x[o.half:]
			for i, c := range cos {
				s := sin[i] * o.sign
				a[i], b[i] = a[i]*c-b[i]*s, b[i]*c+a[i]*s
			}
		}
	}
}

func (e *Engine) rotate(x []float32, heads, n int, sign float32) {
	a := &e.act
	e.ops.rope = rope{x: x, cos: a.cos, sin: a.sin, cols: a.cols, heads: heads, half: e.model.HeadDim() / 2, sign: sign}
	e.pool.Run(n, rowGrain, &e.ops.rope)
}
