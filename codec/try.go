package codec

import (
	"iter"
	"math"
)

// Try takes the step p <- p - size*sign in place and returns what takes it back, bit for
// bit. Adding the step again does so for nearly all parameters; the others, about one in
// a hundred of a trained model and those smaller than the step, are kept aside, so that no
// second copy of the parameters is needed. Nobody else may change them in between.
func (c *Codec) Try(params []float32, u *Update, size float32) (undo func()) {
	if u == nil {
		return func() {}
	}
	aside := make([][]kept, len(c.pieces))
	c.eachRow(u, func(piece int, row chunkRow) {
		aside[piece] = take(aside[piece], params, u.signs, row, size)
	})
	return func() {
		c.eachRow(u, func(_ int, row chunkRow) {
			for i := row.at; i < row.at+row.n; i++ {
				params[i] += signed(u.signs, i, size)
			}
		})
		for _, list := range aside {
			for _, k := range list {
				params[k.at] = k.value
			}
		}
	}
}

// kept is a parameter that adding the step does not bring back.
type kept struct {
	at    int
	value float32
}

func take(aside []kept, params []float32, signs []byte, row chunkRow, size float32) []kept {
	for i := row.at; i < row.at+row.n; i++ {
		before, step := params[i], signed(signs, i, size)
		after := before - step
		if math.Float32bits(after+step) != math.Float32bits(before) {
			aside = append(aside, kept{i, before})
		}
		params[i] = after
	}
	return aside
}

// signed is size with the sign of parameter i.
func signed(signs []byte, i int, size float32) float32 {
	if signs[i/8]>>(i%8)&1 == 0 {
		return -size
	}
	return size
}

// eachRow calls f for the rows of all chunks that the update moves, pieces at once.
func (c *Codec) eachRow(u *Update, f func(piece int, row chunkRow)) {
	c.share(len(c.pieces), func(items iter.Seq[int]) {
		for p := range items {
			for row := range c.rowsOf(c.pieces[p]) {
				if !u.isEmpty(row.chunk) {
					f(p, row)
				}
			}
		}
	})
}
