package cpu

import (
	"fmt"

	"templar/internal/kernel/gemm"
	"templar/internal/kernel/openblas"
)

// multiplier multiplies the matrices of linear layers; attention's small ones
// are package gemm's in any case.
type multiplier interface {
	Mul(c, a, b gemm.Matrix, add bool)
}

// The libraries that Options.BLAS names.
const (
	Builtin  = "builtin"  // package gemm
	OpenBLAS = "openblas" // the machine's, loaded at run time
	Auto     = "auto"     // builtin where it has assembly, else openblas if there is one
)

// newMultiplier also says what it is.
func newMultiplier(name string, p *pool) (multiplier, string, error) {
	builtin := Builtin + " " + gemm.Kernel()
	switch name {
	case "", Builtin:
		return gemm.New(p), builtin, nil
	case OpenBLAS, Auto:
		if name == Auto && gemm.Kernel() != gemm.Generic {
			return gemm.New(p), builtin, nil
		}
		lib, err := openblas.Load("")
		if err == nil {
			return openblas.New(lib, p), lib.String(), nil
		}
		if name == Auto {
			return gemm.New(p), builtin, nil
		}
		return nil, "", err
	}
	return nil, "", fmt.Errorf("blas %q: have %s, %s, %s", name, Builtin, OpenBLAS, Auto)
}
