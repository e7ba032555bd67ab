//go:build !noasm

package gemm

import "golang.org/x/sys/cpu"

// Kernel names the micro-kernel of this machine.
func Kernel() string {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return "avx2"
	}
	return Generic
}

func bestKernel() kernel {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return kernelAVX2
	}
	return kernelGeneric
}

// kernelAVX2 checks the bounds that the assembly relies on.
func kernelAVX2(k int, a []float32, ars, acs int, b, c []float32, ldc int, add bool) {
	if k < 1 || ars < 1 || acs < 1 || ldc < 1 {
		panic("gemm: bad strides")
	}
	_ = a[(tileRows-1)*ars+(k-1)*acs]
	_ = b[k*tileCols-1]
	_ = c[(tileRows-1)*ldc+tileCols-1]
	tileAVX2(k, &a[0], ars, acs, &b[0], &c[0], ldc, add)
}

//go:noescape
func tileAVX2(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)
