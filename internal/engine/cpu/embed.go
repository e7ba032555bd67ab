package cpu

// embed looks tokens up: y [R, H] = table [V, H] at tokens [R].
type embed struct {
	y, table []float32
	tokens   []int32
	width    int
}

// Do looks up the tokens lo <= r < hi.
func (o *embed) Do(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		copy(o.y[r*o.width:][:o.width], o.table[int(o.tokens[r])*o.width:])
	}
}

// embedBackward adds dy [R, H] to the rows of the table's gradient. Workers share
// columns: two tokens may be the same.
type embedBackward struct {
	table, dy []float32
	tokens    []int32
	width     int
}

// Do adds the columns lo <= j < hi of all tokens, in order.
func (o *embedBackward) Do(_, lo, hi int) {
	for r, id := range o.tokens {
		to, from := o.table[int(id)*o.width+lo:][:hi-lo], o.dy[r*o.width+lo:][:hi-lo]
		for j, v := range from {
			to[j] += v
		}
	}
}
