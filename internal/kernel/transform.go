package kernel

// Transform is the orthonormal DCT-II over chunks of Rows x Cols values, and its
// inverse. It is immutable and safe for concurrent use; a Scratch is not.
type Transform struct {
	Rows, Cols int
	row, col   *basis // of a row's length, of a column's length
	scale      [2][2]float32
	place      []place           // by coefficient
	fastScale  [2][2][64]float32 // ones; factors of the first and of the other rows
}

// place is where a coefficient stands in the transposed chunk, and its scale.
type place struct {
	at   uint16
	u, v uint8 // 1 where the frequency is above zero
}

// Scratch is the working memory of one goroutine.
type Scratch struct {
	a, b []float32
}

// NewTransform returns the transform of a chunk shape of at most 65536 values; a
// one-dimensional chunk has one row.
func NewTransform(rows, cols int) *Transform {
	t := &Transform{
		Rows: rows, Cols: cols, row: newBasis(cols), col: newBasis(rows),
		scale: scales(rows, cols), place: make([]place, rows*cols),
	}
	for i := range t.place {
		u, v := i/cols, i%cols
		t.place[i] = place{at: uint16(v*rows + u), u: uint8(min(u, 1)), v: uint8(min(v, 1))}
	}
	for v := range t.fastScale[0][0] {
		for u := range t.scale {
			t.fastScale[0][u][v], t.fastScale[1][u][v] = 1, t.scale[u][min(v, 1)]
		}
	}
	return t
}

// Size is the number of values in a chunk.
func (t *Transform) Size() int { return t.Rows * t.Cols }

// NewScratch returns working memory for chunks of up to size values.
func NewScratch(size int) *Scratch {
	return &Scratch{a: make([]float32, size), b: make([]float32, size)}
}

// Forward replaces the chunk x (row-major) by its coefficients.
func (t *Transform) Forward(x []float32, s *Scratch) {
	x = x[:t.Size()]
	if t.forwardFast(x, s) {
		return
	}
	t.forwardGeneric(x, s)
}

// Inverse writes the chunk whose coefficients are value[i] at index[i], and zero
// elsewhere, to dst (row-major). Indices lie below Size and are distinct. Rows come
// first, then columns.
func (t *Transform) Inverse(dst []float32, index []uint16, value []float32, s *Scratch) {
	dst = dst[:t.Size()]
	coef := s.a[:t.Size()]
	clear(coef)
	value = value[:len(index)]
	for i, at := range index {
		p := t.place[at]
		coef[p.at] = float32(value[i] * t.scale[p.u&1][p.v&1])
	}
	if t.inverseFast(dst, s) {
		return
	}
	t.inverseGeneric(dst, s)
}

func (t *Transform) forwardGeneric(x []float32, s *Scratch) {
	n := t.Size()
	a, b := s.a[:n], s.b[:n]
	t.col.two(x, a, t.Cols)
	transpose(b, x, t.Rows, t.Cols)
	t.row.two(b, a, t.Rows)
	for i, p := range t.place {
		x[i] = float32(b[p.at] * t.scale[p.u&1][p.v&1])
	}
}

// inverseGeneric transforms the scaled, transposed coefficients in s.a.
func (t *Transform) inverseGeneric(dst []float32, s *Scratch) {
	n := t.Size()
	a, b := s.a[:n], s.b[:n]
	t.row.threeInverse(a, b, t.Rows)
	transpose(dst, a, t.Cols, t.Rows)
	t.col.threeInverse(dst, a, t.Cols)
}
