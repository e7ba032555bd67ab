package gemm

const (
	tileRows = 6  // results of the micro-kernel
	tileCols = 16 //
	// A panel of B (depth x tileCols) stays in a 32 KiB L1 cache beside A's rows.
	depth = 256
	// All packed panels of B together stay in L2 or L3.
	width = 2048
	// Tiles of rows that one worker takes at once: A's part stays in L2.
	maxTiles = 16
)

// Generic is the name of the Go micro-kernel.
const Generic = "generic"

// Multiplier multiplies matrices with the workers of a Runner. It keeps its buffers
// between calls and is not for concurrent use.
type Multiplier struct {
	runner Runner
	kernel kernel
	panels []float32 // packed block of B
	locals []local   // by worker

	// The product under way, for the tasks.
	c, a, b Matrix
	add     bool
}

// local is a worker's own memory.
type local struct {
	a []float32 // packed tiles of A, tileRows x depth each
	c [tileRows * tileCols]float32
}

// New returns a Multiplier that uses the fastest micro-kernel of this machine.
func New(r Runner) *Multiplier { return newWith(r, bestKernel()) }

func newWith(r Runner, k kernel) *Multiplier {
	g := &Multiplier{runner: r, kernel: k, locals: make([]local, r.Workers())}
	for i := range g.locals {
		g.locals[i].a = make([]float32, maxTiles*tileRows*depth)
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
	if a.Cols == 0 && !add {
		clearRows(c)
	}
	for j := 0; j < c.Cols; j += width {
		n := min(width, c.Cols-j)
		for p := 0; p < a.Cols; p += depth {
			k := min(depth, a.Cols-p)
			g.block(c.Sub(0, j, c.Rows, n), a.Sub(0, p, a.Rows, k), b.Sub(p, j, k, n), add || p > 0)
		}
	}
	g.c, g.a, g.b = Matrix{}, Matrix{}, Matrix{} // the caller's memory is not ours to keep
}

// block does one block of B, packed once and used by all rows of A.
func (g *Multiplier) block(c, a, b Matrix, add bool) {
	g.c, g.a, g.b, g.add = c, a, b, add
	panels := ceil(c.Cols, tileCols)
	if need := panels * tileCols * b.Rows; cap(g.panels) < need {
		g.panels = make([]float32, need)
	}
	g.runner.Run(panels, 8, (*packTask)(g))
	tiles := ceil(c.Rows, tileRows)
	grain := min(max(tiles/(4*g.runner.Workers()), 1), maxTiles)
	if g.runner.Workers() == 1 {
		grain = maxTiles
	}
	g.runner.Run(tiles, grain, (*tileTask)(g))
}

// tileTask computes tiles of rows of C.
type tileTask Multiplier

// Do computes the tiles of rows lo <= i < hi.
func (g *tileTask) Do(worker, lo, hi int) {
	l := &g.locals[worker]
	whole := hi // tiles before it have all their rows
	if hi*tileRows > g.c.Rows {
		whole = hi - 1
	}
	packed := g.a.ColStride != 1
	for i := lo; i < hi; i++ {
		if packed || i >= whole {
			packA(l.a[(i-lo)*tileRows*depth:], g.a, i*tileRows)
		}
	}
	k := g.a.Cols
	for j := 0; j < g.c.Cols; j += tileCols {
		panel := g.panels[j*k : (j+tileCols)*k]
		for i := lo; i < hi; i++ {
			a, rs, cs := l.a[(i-lo)*tileRows*depth:], 1, tileRows
			if !packed && i < whole {
				a, rs, cs = g.a.Data[i*tileRows*g.a.RowStride:], g.a.RowStride, 1
			}
			c := g.c.Data[i*tileRows*g.c.RowStride+j:]
			if i < whole && j+tileCols <= g.c.Cols {
				g.kernel(k, a, rs, cs, panel, c, g.c.RowStride, g.add)
				continue
			}
			g.kernel(k, a, rs, cs, panel, l.c[:], tileCols, false)
			copyEdge(c, g.c.RowStride, l.c[:], min(tileRows, g.c.Rows-i*tileRows), min(tileCols, g.c.Cols-j), g.add)
		}
	}
}

// copyEdge moves the part of a tile that exists to C.
func copyEdge(c []float32, stride int, tile []float32, rows, cols int, add bool) {
	for i := range rows {
		from, to := tile[i*tileCols:][:cols], c[i*stride:][:cols]
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
