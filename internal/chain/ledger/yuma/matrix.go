package yuma

// cell is a stored element of a sparse row, rows ascend by column.
type cell struct {
	col int
	v   fixed
}

// matrix holds one sparse row for each neuron.
type matrix [][]cell

// filtered returns the cells that keep accepts, as value reads them.
func filtered(rows [][]Entry, value func(uint16) fixed, keep func(i, j int) bool) matrix {
	m := make(matrix, len(rows))
	for i, row := range rows {
		for _, e := range row {
			if j := int(e.UID); keep(i, j) {
				m[i] = append(m[i], cell{j, value(e.Value)})
			}
		}
	}
	return m
}

// mapped applies f to each cell and drops those for which ok is false.
func (m matrix) mapped(f func(i int, c cell) (v fixed, ok bool)) matrix {
	out := make(matrix, len(m))
	for i, row := range m {
		for _, c := range row {
			if v, ok := f(i, c); ok {
				out[i] = append(out[i], cell{c.col, v})
			}
		}
	}
	return out
}

func (m matrix) rowSum(i int) (s fixed) {
	for _, c := range m[i] {
		s = add(s, c.v)
	}
	return s
}

func (m matrix) rowNormalized() matrix {
	sums := make([]fixed, len(m))
	for i := range m {
		sums[i] = m.rowSum(i)
	}
	return m.mapped(func(i int, c cell) (fixed, bool) { return over(c.v, sums[i]), true })
}

func (m matrix) colNormalized() matrix {
	sums := make([]fixed, len(m))
	for _, row := range m {
		for _, c := range row {
			sums[c.col] = add(sums[c.col], c.v)
		}
	}
	return m.mapped(func(_ int, c cell) (fixed, bool) { return over(c.v, sums[c.col]), true })
}

// colUpscaled divides each column by its largest element.
func (m matrix) colUpscaled() matrix {
	top := make([]fixed, len(m))
	for _, row := range m {
		for _, c := range row {
			top[c.col] = max(top[c.col], c.v)
		}
	}
	return m.mapped(func(_ int, c cell) (fixed, bool) { return over(c.v, top[c.col]), true })
}

// over is v/s, or v when s is 0.
func over(v, s fixed) fixed {
	if s == 0 {
		return v
	}
	return div(v, s)
}

// rowScaled multiplies row i by s[i].
func (m matrix) rowScaled(s []fixed) matrix {
	return m.mapped(func(i int, c cell) (fixed, bool) { return mul(s[i], c.v), true })
}

// colSums is the sum of each column.
func (m matrix) colSums() []fixed {
	out := make([]fixed, len(m))
	for _, row := range m {
		for _, c := range row {
			out[c.col] = add(out[c.col], c.v)
		}
	}
	return out
}

// times is the matrix-vector product.
func (m matrix) times(x []fixed) []fixed {
	out := make([]fixed, len(m))
	for i, row := range m {
		for _, c := range row {
			out[i] = add(out[i], mul(c.v, x[c.col]))
		}
	}
	return out
}

// blended is (1-a)*m + a*n, positive cells only.
func blended(m, n matrix, a fixed) matrix {
	return combined(m, n, func(x, y fixed) fixed { return add(mul(one-a, x), mul(a, y)) })
}

// interpolated is m + a*(n-m), positive cells only; exactly m for a = 0, n for a = 1.
func interpolated(m, n matrix, a fixed) matrix {
	switch a {
	case 0:
		return m
	case one:
		return n
	}
	return combined(m, n, func(x, y fixed) fixed { return add(x, mul(a, y-x)) })
}

// combined merges two matrices cell by cell; a missing cell counts as 0.
func combined(m, n matrix, f func(x, y fixed) fixed) matrix {
	out := make(matrix, len(m))
	x, y := make([]fixed, len(m)), make([]fixed, len(m))
	for i := range m {
		clear(x)
		clear(y)
		for _, c := range m[i] {
			x[c.col] = c.v
		}
		for _, c := range n[i] {
			y[c.col] = c.v
		}
		for j := range x {
			if v := f(x[j], y[j]); v > 0 {
				out[i] = append(out[i], cell{j, v})
			}
		}
	}
	return out
}
