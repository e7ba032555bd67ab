//go:build !noasm && (amd64 || arm64)

package gemm

func bestKernel() kernel {
	list := kernels()
	return list[len(list)-1]
}

// checked checks the bounds that the assembly, which does one tile, relies on.
func checked(rows, cols int, tile func(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)) func(int, int, []float32, int, int, []float32, []float32, int, bool) {
	return func(n, k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool) {
		if n < 1 || k < 1 || ars < 1 || acs < 1 || ldc < 1 {
			panic("gemm: bad strides")
		}
		_ = a[(rows-1)*ars+(k-1)*acs]
		_ = b[n*k*cols-1]
		_ = c[(rows-1)*ldc+n*cols-1]
		for t := range n {
			tile(k, &a[0], ars, acs, &b[t*k*cols], &c[t*cols], ldc, add)
		}
	}
}
