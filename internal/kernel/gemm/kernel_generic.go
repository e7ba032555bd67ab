package gemm

// kernel computes tiles of rows x cols results.
type kernel struct {
	name       string
	rows, cols int
	// tiles sets C = A*B, or C += A*B if add, with k >= 1 products a result, for n >= 1 tiles
	// side by side, whose panels of B are contiguous. Of the first tile, the value
	// (i, p) of A is a[i*ars+p*acs], (p, j) of B is b[p*cols+j], (i, j) of C is
	// c[i*ldc+j]; i < rows, j < cols.
	tiles func(n, k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool)
	// gather copies n rows of `wide` values, which are stride apart, one after the
	// other; transpose copies n values each of `wide` rows, which are stride apart, so
	// that those of one row are wide apart. nil: in Go.
	gather    func(to, from []float32, wide, stride, n int)
	transpose func(to, from []float32, wide, stride, n int)
}

func genericKernel() kernel {
	return kernel{name: Generic, rows: 6, cols: genericCols, tiles: tilesGeneric}
}

const genericCols = 16

func tilesGeneric(n, k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool) {
	for t := range n {
		tileGeneric(k, a, ars, acs, b[t*k*genericCols:], c[t*genericCols:], ldc, add)
	}
}

// tileGeneric is the specification of every kernel. Three rows by two columns keep
// their sums in registers; more of them and Go's compiler spills some to the stack,
// which costs more than it saves.
func tileGeneric(k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool) {
	for i := 0; i < 6; i += 3 {
		for j := 0; j < genericCols; j += 2 {
			s := products3x2(k, a[i*ars:], ars, acs, b[j:])
			store2(c[i*ldc+j:], s[0], s[1], add)
			store2(c[(i+1)*ldc+j:], s[2], s[3], add)
			store2(c[(i+2)*ldc+j:], s[4], s[5], add)
		}
	}
}

func products3x2(k int, a []float32, ars, acs int, b []float32) [6]float32 {
	var s0, s1, s2, s3, s4, s5 float32
	at, y, z := 0, a[ars:], a[2*ars:]
	for p := 0; p < k*genericCols; p += genericCols {
		q := (*[2]float32)(b[p:])
		u := a[at]
		s0 += u * q[0]
		s1 += u * q[1]
		v := y[at]
		s2 += v * q[0]
		s3 += v * q[1]
		w := z[at]
		s4 += w * q[0]
		s5 += w * q[1]
		at += acs
	}
	return [6]float32{s0, s1, s2, s3, s4, s5}
}

func store2(c []float32, x, y float32, add bool) {
	if add {
		x, y = x+c[0], y+c[1]
	}
	c[0], c[1] = x, y
}

// Kernel names the micro-kernel of this machine.
func Kernel() string { return bestKernel().name }
