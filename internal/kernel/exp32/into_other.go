//go:build noasm || !amd64

package exp32

func into(dst, x []float32, scale, shift float32) float64 { return intoGeneric(dst, x, scale, shift) }
