//go:build !noasm

package exp32

import "golang.org/x/sys/cpu"

const lanes = 8

func into(dst, x []float32, scale, shift float32) float64 {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return intoGeneric(dst, x, scale, shift)
	}
	return intoAVX2(dst, x, scale, shift)
}

// intoAVX2 does whole vectors in place and the rest through a padded one.
func intoAVX2(dst, x []float32, scale, shift float32) float64 {
	var total float64
	whole := len(x) / lanes
	if whole > 0 {
		var sums [lanes]float32
		vectorsAVX2(&dst[0], &x[0], whole, scale, shift, &sums)
		for _, s := range sums {
			total += float64(s)
		}
	}
	if rest := x[whole*lanes:]; len(rest) > 0 {
		var sums, padded [lanes]float32
		copy(padded[:], rest)
		vectorsAVX2(&padded[0], &padded[0], 1, scale, shift, &sums)
		copy(dst[whole*lanes:], padded[:])
		for _, s := range sums[:len(rest)] {
			total += float64(s)
		}
	}
	return total
}

// vectorsAVX2 does n >= 1 vectors and stores the sum of each lane.
//
//go:noescape
func vectorsAVX2(dst, x *float32, n int, scale, shift float32, sums *[lanes]float32)
