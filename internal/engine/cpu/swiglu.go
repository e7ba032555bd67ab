package cpu

import "templar/internal/kernel/nn"

// swiglu computes hidden = silu(gate) * up: hidden [R, I], gate and up side by side [R, 2I].
type swiglu struct {
	hidden, gateUp []float32
	width          int // I
}

// Do handles the rows lo <= r < hi.
func (o *swiglu) Do(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		gate, up := halves(o.gateUp, r, o.width)
		nn.SwiGLU(o.hidden[r*o.width:][:o.width], gate, up)
	}
}

// swigluBackward overwrites gate and up with their gradients. It uses hidden as scratch.
type swigluBackward struct {
	dhidden, hidden, gateUp []float32
	width                   int // I
}

// Do handles the rows lo <= r < hi.
func (o *swigluBackward) Do(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		gate, up := halves(o.gateUp, r, o.width)
		nn.SwiGLUBackward(gate, up, o.dhidden[r*o.width:], o.hidden[r*o.width:])
	}
}

// halves are those of row r of x [R, 2*width].
func halves(x []float32, r, width int) (a, b []float32) {
	x = x[2*r*width:][:2*width]
	return x[:width], x[width:]
}
