package kernel

// Collect writes the rows of a chunk of rows x cols values at from to dst, one after the other. next is the chunk that will be asked for after it,
// if there is one: a processor that can fetches it from memory meanwhile.
func Collect(dst []float32, rows, cols int, from, next Rows) {
	dst = dst[:rows*cols]
	if rows == fastSide && cols == fastSide && collectFast(dst, from, next) {
		return
	}
	for r := range rows {
		copy(dst[r*cols:][:cols], from.X[r*from.Stride:])
	}
}
