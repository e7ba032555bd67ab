//go:build !noasm

package adamw

import "golang.org/x/sys/cpu"

// fast reports whether this machine has what the assembly needs; tests turn it off.
var fast = cpu.X86.HasAVX2

// stepVectors does n >= 1 vectors.
//
//go:noescape
func stepVectors(p, m, v, grad *float32, n int, s *Step)
