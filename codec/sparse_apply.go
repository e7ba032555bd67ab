package codec

import (
	"iter"
	"math"
	"slices"
)

// each calls f for every chunk with the number of its piece, the offsets of its values in the flat memory, and the values.
// Pieces are visited concurrently, the chunks of a piece in order. The slices are valid until f returns.
func (c *Sparse) each(b sparseBody, levels Levels, keep func(*tensor) int, f func(piece int, at []int, v []float32)) {
	g := c.grid
	g.pool.Share(len(g.pieces), func(items iter.Seq[int]) {
		r, places := newSparseReader(levels), make([]int, 0, g.largest)
		for p := range items {
			r.piece(b.piece(p))
			for i, n := range g.chunksOf(g.pieces[p]) {
				t := &g.tensors[i]
				index, value, _ := r.next(t.chunk.Size(), keep(t)) // was checked before
				first, cols := t.at(n), uint32(t.chunk.Cols)
				places = places[:0]
				for _, at := range index {
					row := uint32(at) / cols
					places = append(places, first+int(row)*t.cols+int(uint32(at)-row*cols))
				}
				f(p, places, value)
			}
		}
	})
}

// Subtract takes from m what was sent: m <- m - decode(g).
func (c *Sparse) Subtract(m []float32, g *SparseGradient) {
	c.each(g.sparseBody, c.spec.Levels, keepOf, func(_ int, at []int, v []float32) {
		for i, at := range at {
			m[at] -= v[i]
		}
	})
}

// Decode writes the values of g to dst (flat), and zeros between them.
func (c *Sparse) Decode(g *SparseGradient, dst []float32) {
	clear(dst)
	c.each(g.sparseBody, c.spec.Levels, keepOf, func(_ int, at []int, v []float32) {
		for i, at := range at {
			dst[at] = v[i]
		}
	})
}

// Apply changes params in place: p <- p - alpha*mean. Parameters without a value keep their bits, and a nil update
// changes nothing.
func (c *Sparse) Apply(params []float32, u *SparseUpdate, alpha float32) {
	if u == nil {
		return
	}
	c.each(u.sparseBody, c.spec.Update, c.keepUpdate, func(_ int, at []int, v []float32) {
		for i, at := range at {
			params[at] -= float32(alpha * v[i])
		}
	})
}

// Deltas describes the trial step p <- p - size*g, as an engine takes and undoes it: the function writes what is subtracted
// from the parameters from at on to dst. It may be called for any range, and by several goroutines at once.
func (c *Sparse) Deltas(g *SparseGradient, size float32) func(dst []float32, at int) {
	all := c.moves(g.sparseBody, c.spec.Levels, keepOf)
	return func(dst []float32, at int) {
		clear(dst)
		first, _ := slices.BinarySearchFunc(all, at, func(m move, at int) int { return m.at - at })
		for _, m := range all[first:] {
			if m.at >= at+len(dst) {
				break
			}
			dst[m.at-at] = float32(size * m.value)
		}
	}
}

// Differ counts the parameters that two updates move differently, and returns the first of them; -1 if there is none.
// Either may be nil.
func (c *Sparse) Differ(a, b *SparseUpdate) (count, first int) {
	all := func(u *SparseUpdate) []move {
		if u == nil {
			return nil
		}
		return c.moves(u.sparseBody, c.spec.Update, c.keepUpdate)
	}
	first = -1
	for x, y := all(a), all(b); len(x) > 0 || len(y) > 0; {
		at := math.MaxInt
		if len(x) > 0 {
			at = x[0].at
		}
		if len(y) > 0 {
			at = min(at, y[0].at)
		}
		var v, w float32
		if len(x) > 0 && x[0].at == at {
			v, x = x[0].value, x[1:]
		}
		if len(y) > 0 && y[0].at == at {
			w, y = y[0].value, y[1:]
		}
		if v != w {
			if count++; first < 0 {
				first = at
			}
		}
	}
	return count, first
}

// move is what one parameter is moved by.
type move struct {
	at    int
	value float32
}

// moves lists the values of a body in the order of the flat memory, of which pieces are ranges.
func (c *Sparse) moves(b sparseBody, levels Levels, keep func(*tensor) int) []move {
	pieces := make([][]move, len(c.grid.pieces))
	c.each(b, levels, keep, func(piece int, at []int, v []float32) {
		for i, at := range at {
			pieces[piece] = append(pieces[piece], move{at, v[i]})
		}
	})
	c.grid.pool.Share(len(pieces), func(items iter.Seq[int]) {
		for p := range items {
			slices.SortFunc(pieces[p], func(a, b move) int { return a.at - b.at })
		}
	})
	return slices.Concat(pieces...)
}
