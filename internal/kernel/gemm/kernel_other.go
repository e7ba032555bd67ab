//go:build noasm || !amd64

package gemm

// Kernel names the micro-kernel of this machine.
func Kernel() string { return Generic }

func bestKernel() kernel { return kernelGeneric }
