package kernel

// PackSigns sets, from bit on, one bit of dst for each value of x that is greater
// than zero, least significant bit first. The bits must be clear before; x is finite.
func PackSigns(dst []byte, bit int, x []float32) {
	n := packFast(dst, bit, x)
	packSignsGeneric(dst, bit+n, x[n:])
}

// Step moves p by one signed step: p <- p*decay, then p <- p - lr where the sign bit
// is set and p + lr where it is clear; each operation is rounded to float32.
func Step(p []float32, signs []byte, bit int, decay, lr float32) {
	n := stepFast(p, signs, bit, decay, lr)
	stepGeneric(p[n:], signs, bit+n, decay, lr)
}
