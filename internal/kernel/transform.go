package kernel

// fastSide is the side of the chunks that there is assembly for.
const fastSide = 64

// Transform is the orthonormal DCT-II over chunks of Rows x Cols values, and its
// inverse. It is immutable and safe for concurrent use; a Scratch is not.
type Transform struct {
	Rows, Cols int
	row, col   *basis            // of a row's length, of a column's length
	scale      [4]float32        // by 2*[u > 0] + [v > 0]
	place      []place           // by coefficient
	fastScale  [2][2][64]float32 // ones; factors of the first and of the other rows
}

// place is where a coefficient stands in the transposed chunk and, above sixteen bits,
// which scale is its.
type place uint32

func (p place) at() uint16    { return uint16(p) }
func (p place) scale() uint32 { return uint32(p) >> 16 & 3 }

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
		t.place[i] = place(v*rows + u | (2*min(u, 1)+min(v, 1))<<16)
	}
	for v := range t.fastScale[0][0] {
		for u := range 2 {
			t.fastScale[0][u][v], t.fastScale[1][u][v] = 1, t.scale[2*u+min(v, 1)]
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

// Rows are the rows of a chunk within a matrix: they begin Stride values from one
// another, the first at X[0].
type Rows struct {
	X      []float32
	Stride int
}

// Forward writes the coefficients of the chunk at from to dst (row-major). next is the
// chunk that will be asked for after it, if there is one: a processor that can fetches
// it from memory meanwhile.
func (t *Transform) Forward(dst []float32, from, next Rows, s *Scratch) {
	dst = dst[:t.Size()]
	if t.forwardFast(dst, from, next, s) {
		return
	}
	for r := range t.Rows {
		copy(dst[r*t.Cols:][:t.Cols], from.X[r*from.Stride:])
	}
	t.forwardGeneric(dst, s)
}

// Inverse writes the chunk whose coefficients are value[i] at index[i], and zero
// elsewhere, to dst (row-major). Indices are below Size and distinct. Rows come
// first, then columns.
func (t *Transform) Inverse(dst []float32, index []uint16, value []float32, s *Scratch) {
	dst = dst[:t.Size()]
	coef := s.a[:t.Size()]
	clear(coef)
	value = value[:len(index)]
	for i, at := range index {
		p := t.place[at]
		coef[p.at()] = float32(value[i] * t.scale[p.scale()])
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
		x[i] = float32(b[p.at()] * t.scale[p.scale()])
	}
}

// inverseGeneric transforms the scaled, transposed coefficients in s.a.
func (t *Transform) inverseGeneric(dst []float32, s *Scratch) {
	n := t.Size()
	a, b := s.a[:n], s.b[:n]
	t.row.dct3Inverse(a, b, t.Rows)
	transpose(dst, a, t.Cols, t.Rows)
	t.col.dct3Inverse(dst, a, t.Cols)
}
