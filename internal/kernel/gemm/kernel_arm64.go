//go:build !noasm

package gemm

// kernels lists what this machine can run, the fastest last. Every arm64 has NEON.
func kernels() []kernel {
	return []kernel{genericKernel(), {name: "neon", rows: 6, cols: 16, tiles: checked(6, 16, tileNEON)}}
}

//go:noescape
func tileNEON(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)
