package gemm

// kernel computes a tile: C = A*B, or C += A*B if add, with k >= 1 products a result.
// The value (i, p) of A is a[i*ars+p*acs], (p, j) of B is b[p*tileCols+j], (i, j) of
// C is c[i*ldc+j]; i < tileRows, j < tileCols.
type kernel func(k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool)

// kernelGeneric is the specification of every kernel. Three rows by two columns keep
// their sums in registers; more of them and Go's compiler spills some to the stack,
// which costs more than it saves.
func kernelGeneric(k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool) {
	for i := 0; i < tileRows; i += 3 {
		for j := 0; j < tileCols; j += 2 {
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
	for p := 0; p < k*tileCols; p += tileCols {
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
