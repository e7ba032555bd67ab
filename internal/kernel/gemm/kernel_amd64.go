//go:build !noasm

package gemm

import "golang.org/x/sys/cpu"

// kernels lists what this machine can run, the fastest last.
func kernels() []kernel {
	list := []kernel{genericKernel()}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, kernel{name: "avx2", rows: 6, cols: 16, tiles: checked(6, 16, tileAVX2), gather: gatherAVX2, transpose: transposeAVX2})
		if cpu.X86.HasAVX512F {
			list = append(list, kernel{name: "avx512", rows: 8, cols: 32, tiles: checked(8, 32, tileAVX512), gather: gatherAVX2, transpose: transposeAVX2})
		}
	}
	return list
}

//go:noescape
func tileAVX2(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)

//go:noescape
func tileAVX512(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)

// gatherAVX2 leaves widths that are no multiple of a vector to Go.
func gatherAVX2(to, from []float32, wide, stride, n int) {
	if wide%vector != 0 || n == 0 {
		gather(to, from, wide, stride, n)
		return
	}
	_ = to[n*wide-1]
	_ = from[(n-1)*stride+wide-1]
	gatherRows(&to[0], &from[0], wide/vector, stride, n)
}

const vector = 8 // values of a register of AVX2

//go:noescape
func gatherRows(to, from *float32, vectors, stride, n int)

// transposeAVX2 leaves what is no multiple of a vector to Go.
func transposeAVX2(to, from []float32, wide, stride, n int) {
	whole := n &^ (vector - 1)
	if wide%vector != 0 {
		whole = 0
	}
	if whole > 0 {
		_ = to[whole*wide-1]
		for i := 0; i < wide; i += vector {
			_ = from[(i+vector-1)*stride+whole-1]
			transpose8(&to[i], &from[i*stride], wide, stride, whole/vector)
		}
	}
	if whole < n {
		packPart(to[whole*wide:n*wide], Matrix{Data: from[whole:], Rows: wide, Cols: n - whole, RowStride: stride, ColStride: 1}, wide)
	}
}

// transpose8 writes 8 values each of 8 rows, times n, as columns.
//
//go:noescape
func transpose8(to, from *float32, wide, stride, n int)
