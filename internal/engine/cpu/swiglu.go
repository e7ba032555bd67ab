package cpu

import "templar/internal/kernel/exp32"

// swiglu computes hidden = silu(gate) * up with silu(x) = x*sigmoid(x) (Shazeer
// 2020); all [R, I].
type swiglu struct {
	hidden, gate, up []float32
	width            int
}

// Do handles the rows lo <= r < hi.
func (o *swiglu) Do(_, lo, hi int) {
	hidden, gate, up := o.hidden[lo*o.width:hi*o.width], o.gate[lo*o.width:hi*o.width], o.up[lo*o.width:hi*o.width]
	exp32.Into(hidden, gate, -1, 0)
	for i, g := range gate {
		hidden[i] = g / (1 + hidden[i]) * up[i]
	}
}

// swigluBackward overwrites gate and up with their gradients: with s = sigmoid(gate),
// dgate = dhidden * up * s*(1 + gate*(1-s)) and dup = dhidden * gate*s. It uses hidden
// as scratch.
type swigluBackward struct {
	dhidden, hidden, gate, up []float32
	width                     int
}

// Do handles the rows lo <= r < hi.
func (o *swigluBackward) Do(_, lo, hi int) {
	d, hidden := o.dhidden[lo*o.width:hi*o.width], o.hidden[lo*o.width:hi*o.width]
	gate, up := o.gate[lo*o.width:hi*o.width], o.up[lo*o.width:hi*o.width]
	exp32.Into(hidden, gate, -1, 0)
	for i, g := range gate {
		s := 1 / (1 + hidden[i])
		gate[i], up[i] = d[i]*up[i]*s*(1+g*(1-s)), d[i]*g*s
	}
}
