//go:build noasm || !amd64

package gemm

func bestKernel() kernel { return kernelGeneric }
