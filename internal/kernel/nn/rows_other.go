//go:build noasm || !amd64

package nn

// fast is never true here, and what follows never called.
var fast = false

func expVectors(dst, x *float32, n int, scale, shift float32, sums *[lanes]float32) {}
func scoreGradientVectors(dp, p *float32, n int, mean, scale float32)               {}
func swigluVectors(hidden, gate, up *float32, n int)                                {}
func swigluBackwardVectors(gate, up, dhidden, hidden *float32, n int)               {}
func rotateVectors(a, b, cos, sin *float32, n int, sign float32)                    {}
func normVectors(y, x, w *float32, n int, s float32)                                {}
func normBackwardVectors(dx, dw, dy, x, w *float32, n int, s, c float32)            {}
func dotVectors(x, y *float32, n int, sums *[lanes]float64)                         {}
func dot3Vectors(x, y, z *float32, n int, sums *[lanes]float64)                     {}
func largestVectors(x *float32, n int, tops *[lanes]float32)                        {}
func multiplyVectors(x *float32, n int, c float32)                                  {}
