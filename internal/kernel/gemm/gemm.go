package gemm

const (
	// Depth is the number of inner indices of a block: a result's chain of additions is cut
	// there, whatever the kernel, so that kernels that fuse alike give the same bits. A product
	// whose inner dimension is cut at multiples of Depth, and added up in order, has the bits of
	// the whole.
	Depth = 256
	depth = Depth
	// Most columns of a piece: depth x width values of B stay in L2.
	width = 512
	// Most values of B that are packed at once, unless a piece needs more: no more memory is
	// kept than that, however large the matrices.
	packedAtOnce = 1 << 20
	// Fewest rows of a piece: reading its part of B must cost little beside multiplying.
	minRows = 32
	// Pieces for each worker, so that a slow core takes fewer of them.
	piecesPerWorker = 8
)

// Generic is the name of the Go micro-kernel.
const Generic = "generic"

// Multiplier multiplies matrices with the workers of a Runner. It keeps its buffers
// between calls and is not for concurrent use.
type Multiplier struct {
	runner Runner
	kernel kernel
	locals []local // by worker

	// The product under way, for the tasks, and its pieces.
	c, a, b    Matrix
	add        bool
	rows, cols int // of a piece
	across     int // pieces side by side
	packed     packed
}

// local is a worker's own memory.
type local struct {
	a []float32 // packed tile of A
	c []float32 // a tile of which only a part exists
}

// New returns a Multiplier that uses the fastest micro-kernel of this machine.
func New(r Runner) *Multiplier { return newWith(r, bestKernel()) }

func newWith(r Runner, k kernel) *Multiplier {
	g := &Multiplier{runner: r, kernel: k, locals: make([]local, r.Workers())}
	for i := range g.locals {
		g.locals[i] = local{a: make([]float32, k.rows*depth), c: make([]float32, k.rows*k.cols)}
	}
	return g
}

// Mul sets c = a*b, or c += a*b if add. The sizes must agree, and c's columns must
// be adjacent (ColStride 1): anything else is a programmer's error and panics.
func (g *Multiplier) Mul(c, a, b Matrix, add bool) {
	if a.Cols != b.Rows || c.Rows != a.Rows || c.Cols != b.Cols || c.ColStride != 1 {
		panic("gemm: sizes do not agree")
	}
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	if a.Cols == 0 {
		if !add {
			clearRows(c)
		}
		return
	}
	g.add = add
	step := max(width, packedAtOnce/b.Rows/width*width)
	for j := 0; j < c.Cols; j += step {
		cols := min(step, c.Cols-j)
		g.c, g.a, g.b = c.Sub(0, j, c.Rows, cols), a, b.Sub(0, j, b.Rows, cols)
		g.cut()
		g.packed.reset(g.b, g.kernel.cols)
		g.runner.Run(g.across*ceil(c.Rows, g.rows), 1, (*pieceTask)(g))
	}
	g.c, g.a, g.b = Matrix{}, Matrix{}, Matrix{} // the caller's memory is not ours to keep
}

// cut divides the result into pieces.
func (g *Multiplier) cut() {
	g.across = ceil(g.c.Cols, width)
	g.cols = roundUp(ceil(g.c.Cols, g.across), g.kernel.cols)
	g.across = ceil(g.c.Cols, g.cols)
	down := 1
	if w := g.runner.Workers(); w > 1 {
		down = max(1, min(ceil(w*piecesPerWorker, g.across), g.c.Rows/minRows))
	}
	g.rows = roundUp(ceil(g.c.Rows, down), g.kernel.rows)
}

// pieceTask computes pieces of C, after all of B is packed.
type pieceTask Multiplier

// Do computes the pieces lo <= i < hi.
func (g *pieceTask) Do(worker, lo, hi int) {
	g.packed.work(&g.kernel, g.b)
	l := &g.locals[worker]
	for i := lo; i < hi; i++ {
		row, col := i/g.across*g.rows, i%g.across*g.cols
		rows, cols := min(g.rows, g.c.Rows-row), min(g.cols, g.c.Cols-col)
		c := g.c.Sub(row, col, rows, cols)
		for p := 0; p < g.a.Cols; p += depth {
			k := min(depth, g.a.Cols-p)
			g.kernel.block(l, c, g.a.Sub(row, p, rows, k), g.packed.panels(p, k, col), g.add || p > 0)
		}
	}
}

// block multiplies rows of A with packed columns of B: tiles that exist whole in place, and
// what is left at the edges through memory of the worker's own.
func (r *kernel) block(l *local, c, a Matrix, b []float32, add bool) {
	for i := 0; i < a.Rows; i += r.rows {
		rows, whole := min(r.rows, a.Rows-i), c.Cols/r.cols
		if rows < r.rows {
			whole = 0
		}
		tile, ars, acs := a.Data[i*a.RowStride:], a.RowStride, a.ColStride
		if rows < r.rows || a.ColStride != 1 {
			r.pack(l.a, a.Sub(i, 0, rows, a.Cols), r.rows)
			tile, ars, acs = l.a, 1, r.rows
		}
		if whole > 0 {
			r.tiles(whole, a.Cols, tile, ars, acs, b, c.Data[i*c.RowStride:], c.RowStride, add)
		}
		for j := whole * r.cols; j < c.Cols; j += r.cols {
			r.tiles(1, a.Cols, tile, ars, acs, b[j*a.Cols:], l.c, r.cols, false)
			copyEdge(c.Data[i*c.RowStride+j:], c.RowStride, l.c, r.cols, rows, min(r.cols, c.Cols-j), add)
		}
	}
}

// copyEdge moves the part of a tile that exists to C.
func copyEdge(c []float32, stride int, tile []float32, width, rows, cols int, add bool) {
	for i := range rows {
		from, to := tile[i*width:][:cols], c[i*stride:][:cols]
		if !add {
			copy(to, from)
			continue
		}
		for j, v := range from {
			to[j] += v
		}
	}
}

func clearRows(c Matrix) {
	for i := range c.Rows {
		clear(c.Data[i*c.RowStride:][:c.Cols])
	}
}

func ceil(n, by int) int { return (n + by - 1) / by }

func roundUp(n, to int) int { return ceil(n, to) * to }
