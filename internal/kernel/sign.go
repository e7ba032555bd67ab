package kernel

// PackSigns sets, from bit on, one bit of dst for each value of x that is greater
// than zero, least significant bit first. The bits must be clear before; x is finite.
func PackSigns(dst []byte, bit int, x []float32) {
	head := min(-bit&7, len(x)) // up to a whole byte
	packSignsGeneric(dst, bit, x[:head])
	bit, x = bit+head, x[head:]
	n := packFast(dst, bit, x)
	packSignsGeneric(dst, bit+n, x[n:])
}

// PackChunk is PackSigns for the rows of x, of so many values each: their bits begin
// apart from one another.
func PackChunk(dst []byte, bit, apart int, x []float32, cols int) {
	if cols == fastSide && packChunkFast(dst, bit, apart, x) {
		return
	}
	for ; len(x) > 0; x, bit = x[cols:], bit+apart {
		PackSigns(dst, bit, x[:cols])
	}
}

// Step moves p by one signed step: p <- p*decay, then p <- p - lr where the sign bit
// is set and p + lr where it is clear; each operation is rounded to float32.
func Step(p []float32, signs []byte, bit int, decay, lr float32) {
	head := min(-bit&7, len(p))
	stepGeneric(p[:head], signs, bit, decay, lr)
	bit, p = bit+head, p[head:]
	n := stepFast(p, signs, bit, decay, lr)
	stepGeneric(p[n:], signs, bit+n, decay, lr)
}
