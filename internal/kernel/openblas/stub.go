//go:build !openblas || !(linux || darwin) || !(amd64 || arm64)

package openblas

import "templar/internal/kernel/gemm"

// Library is a loaded OpenBLAS: there is none in this build.
type Library struct{}

// Load returns ErrNotBuilt.
func Load(string) (*Library, error) { return nil, ErrNotBuilt }

func (*Library) String() string { return "" }

// Multiplier is never made in this build.
type Multiplier struct{}

// New panics: there is no Library to give it.
func New(*Library, gemm.Runner) *Multiplier { panic(ErrNotBuilt) }

// Mul is never called.
func (*Multiplier) Mul(_, _, _ gemm.Matrix, _ bool) {}
