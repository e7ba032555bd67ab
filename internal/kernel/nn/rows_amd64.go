//go:build !noasm

package nn

import "golang.org/x/sys/cpu"

// fast reports whether this machine has the features that the assembly needs; tests turn it off.
var fast = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// The assembly does n >= 1 vectors.

//go:noescape
func scoreGradientVectors(dp, p *float32, n int, mean, scale float32)

//go:noescape
func swigluVectors(hidden, gate, up *float32, n int)

//go:noescape
func swigluBackwardVectors(gate, up, dhidden, hidden *float32, n int)

//go:noescape
func rotateVectors(a, b, cos, sin *float32, n int, sign float32)

//go:noescape
func normVectors(y, x, w *float32, n int, s float32)

//go:noescape
func normBackwardVectors(dx, dw, dy, x, w *float32, n int, s, c float32)

//go:noescape
func dotVectors(x, y *float32, n int, sums *[lanes]float64)

//go:noescape
func dot3Vectors(x, y, z *float32, n int, sums *[lanes]float64)

//go:noescape
func largestVectors(x *float32, n int, tops *[lanes]float32)

//go:noescape
func multiplyVectors(x *float32, n int, c float32)

//go:noescape
func expVectors(dst, x *float32, n int, scale, shift float32, sums *[lanes]float32)
