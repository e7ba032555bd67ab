package gemm

// kernel computes a tile: C = A*B, or C += A*B if add, with k >= 1 products a result.
// The value (i, p) of A is a[i*ars+p*acs], (p, j) of B is b[p*tileCols+j], (i, j) of
// C is c[i*ldc+j]; i < tileRows, j < tileCols.
type kernel func(k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool)

// kernelGeneric is the specification of every kernel. Two rows by four columns keep
// their sums in registers.
func kernelGeneric(k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool) {
	for i := 0; i < tileRows; i += 2 {
		for j := 0; j < tileCols; j += 4 {
			var s [8]float32
			products2x4(&s, k, a[i*ars:], ars, acs, b[j:])
			store4(c[i*ldc+j:], s[:4], add)
			store4(c[(i+1)*ldc+j:], s[4:], add)
		}
	}
}

func products2x4(s *[8]float32, k int, a []float32, ars, acs int, b []float32) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for p := range k {
		x, y := a[p*acs], a[p*acs+ars]
		q := b[p*tileCols:][:4]
		s0 += x * q[0]
		s1 += x * q[1]
		s2 += x * q[2]
		s3 += x * q[3]
		s4 += y * q[0]
		s5 += y * q[1]
		s6 += y * q[2]
		s7 += y * q[3]
	}
	*s = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

func store4(c, s []float32, add bool) {
	for j, v := range s {
		if add {
			v += c[j]
		}
		c[j] = v
	}
}
