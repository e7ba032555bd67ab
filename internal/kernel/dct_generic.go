package kernel

// Transform is the orthonormal DCT-II over chunks of Rows x Cols values, and its
// inverse. It is immutable and safe for concurrent use; a Scratch is not.
type Transform struct {
	Rows, Cols int
	row, col   *basis // of a row's length, of a column's length
	place      []int  // coefficient -> position in level order
}

// Scratch is the working memory of one goroutine.
type Scratch struct {
	a, b []float32
	used []bool    // rows with a coefficient
	coef []float32 // the terms of one sum
	at   []int     // and where their vectors begin
}

// NewTransform returns the transform of a chunk shape; a one-dimensional chunk has
// one row.
func NewTransform(rows, cols int) *Transform {
	t := &Transform{Rows: rows, Cols: cols, row: newBasis(cols), col: newBasis(rows), place: make([]int, rows*cols)}
	for i := range t.place {
		t.place[i] = t.col.place[i/cols]*cols + t.row.place[i%cols]
	}
	return t
}

// Size is the number of values in a chunk.
func (t *Transform) Size() int { return t.Rows * t.Cols }

// NewScratch returns working memory for chunks of up to size values.
func NewScratch(size int) *Scratch {
	return &Scratch{
		a: make([]float32, size), b: make([]float32, size), used: make([]bool, size),
		coef: make([]float32, 0, size), at: make([]int, 0, size),
	}
}

// Forward replaces the chunk x (row-major) by its coefficients.
func (t *Transform) Forward(x []float32, s *Scratch) {
	n, w := t.Size(), t.Cols
	a, b := s.a[:n], s.b[:n]
	t.col.foldRows(x, w)
	for _, l := range t.col.levels {
		for k := range l.size {
			combine(a[(l.first+k)*w:][:w], l.byFrequency[k*l.size:][:l.size], x[l.first*w:], w)
		}
	}
	for r := 0; r < n; r += w {
		t.row.foldRows(a[r:r+w], 1)
		for _, l := range t.row.levels {
			combine(b[r+l.first:][:l.size], a[r+l.first:][:l.size], l.byValue, l.size)
		}
	}
	for i, p := range t.place {
		x[i] = b[p]
	}
}

// Inverse writes the chunk whose coefficients are value[i] at index[i], and zero
// elsewhere, to dst (row-major). Indices lie below Size and are distinct.
//
// Rows come first, then columns; a sum runs over ascending frequencies of a level
// and starts at +0, so that leaving out zero coefficients changes no bit.
func (t *Transform) Inverse(dst []float32, index []uint16, value []float32, s *Scratch) {
	n, w := t.Size(), t.Cols
	coef, rows, used := s.a[:n], s.b[:n], s.used[:t.Rows]
	clear(coef)
	clear(used)
	for i, at := range index {
		p := t.place[at]
		coef[p] = value[i]
		used[p/w] = true
	}
	for r, ok := range used {
		if ok {
			t.inverseRow(rows[r*w:][:w], coef[r*w:][:w], s)
		}
	}
	for _, l := range t.col.levels {
		t.inverseColumns(dst, rows, l, used[l.first:][:l.size], s)
	}
	t.col.unfoldRows(dst, w)
}

func (t *Transform) inverseRow(dst, coef []float32, s *Scratch) {
	for _, l := range t.row.levels {
		s.coef, s.at = s.coef[:0], s.at[:0]
		for k, c := range coef[l.first:][:l.size] {
			if c != 0 {
				s.coef, s.at = append(s.coef, c), append(s.at, k*l.size)
			}
		}
		combineAt(dst[l.first:][:l.size], s.coef, l.byFrequency, s.at)
	}
	t.row.unfoldRows(dst, 1)
}

func (t *Transform) inverseColumns(dst, rows []float32, l level, used []bool, s *Scratch) {
	w := t.Cols
	s.at = s.at[:0]
	for k, ok := range used {
		if ok {
			s.at = append(s.at, (l.first+k)*w)
		}
	}
	for p := range l.size {
		s.coef = s.coef[:0]
		for k, ok := range used {
			if ok {
				s.coef = append(s.coef, l.byValue[p*l.size+k])
			}
		}
		combineAt(dst[(l.first+p)*w:][:w], s.coef, rows, s.at)
	}
}

// foldRows replaces, level by level, mirrored rows of width w by their sum and, at
// the mirror's place, their difference.
func (b *basis) foldRows(x []float32, w int) {
	for length := b.n; length%2 == 0; length /= 2 {
		for i := range length / 2 {
			butterfly(x[i*w:][:w], x[(length-1-i)*w:][:w])
		}
	}
}

// unfoldRows is foldRows backwards, without its factor of two.
func (b *basis) unfoldRows(x []float32, w int) {
	odd := b.n
	for odd%2 == 0 {
		odd /= 2
	}
	for length := 2 * odd; length <= b.n; length *= 2 {
		for i := range length / 2 {
			butterfly(x[i*w:][:w], x[(length-1-i)*w:][:w])
		}
	}
}

func butterfly(x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		x[i], y[i] = v+y[i], v-y[i]
	}
}

// combine sets dst to the sum of coef[k] times the k-th vector of src, which are
// stride apart, in ascending k.
func combine(dst, coef, src []float32, stride int) {
	clear(dst)
	n := len(dst)
	for len(coef) >= 4 {
		addScaled4(dst, coef, src[:n], src[stride:][:n], src[2*stride:][:n], src[3*stride:][:n])
		coef, src = coef[4:], src[min(4*stride, len(src)):]
	}
	for k, c := range coef {
		addScaled(dst, c, src[k*stride:][:n])
	}
}

// combineAt is combine with the k-th vector at src[at[k]:].
func combineAt(dst, coef, src []float32, at []int) {
	clear(dst)
	n := len(dst)
	for len(coef) >= 4 && len(at) >= 4 {
		addScaled4(dst, coef, src[at[0]:][:n], src[at[1]:][:n], src[at[2]:][:n], src[at[3]:][:n])
		coef, at = coef[4:], at[4:]
	}
	for k, c := range coef {
		addScaled(dst, c, src[at[k]:][:n])
	}
}

func addScaled(dst []float32, c float32, x []float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += float32(c * x[i])
	}
}

// addScaled4 is four addScaled in one pass over dst.
func addScaled4(dst, coef, w, x, y, z []float32) {
	a, b, c, d := coef[0], coef[1], coef[2], coef[3]
	n := len(dst)
	w, x, y, z = w[:n], x[:n], y[:n], z[:n]
	for i, v := range dst {
		v += float32(a * w[i])
		v += float32(b * x[i])
		v += float32(c * y[i])
		dst[i] = v + float32(d*z[i])
	}
}
