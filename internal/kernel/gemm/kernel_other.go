//go:build noasm || !(amd64 || arm64)

package gemm

func bestKernel() kernel { return genericKernel() }

func kernels() []kernel { return []kernel{genericKernel()} }
