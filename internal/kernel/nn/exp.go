package nn

import "math"

// Arguments are clamped to [low, high], where the result is a normal number.
const (
	low  = -87
	high = 88
)

const (
	log2e = 1.44269504088896341
	ln2hi = 0.693359375 // ln 2 in two parts: n*ln2hi is exact
	ln2lo = -2.12194440e-4
	round = 3 << 22 // adding it leaves the nearest integer in the low bits

	c0 = 1.9875691500e-4
	c1 = 1.3981999507e-3
	c2 = 8.3334519073e-3
	c3 = 4.1665795894e-2
	c4 = 1.6666665459e-1
	c5 = 5.0000001201e-1
)

// Exp sets dst[i] = exp(scale*x[i] - shift), clamped, and returns their sum, good to
// 1e-5 unless it overflows float32. dst has room for x and may be x. A NaN stays one.
//
// A value has the same bits wherever it stands in a slice. Reduction and polynomial are those
// of Cephes' expf (Moshier 1992).
func Exp(dst, x []float32, scale, shift float32) float64 {
	dst = dst[:len(x)]
	if fast {
		return expFast(dst, x, scale, shift)
	}
	var sum float64
	for i, v := range x {
		v = exp(scale*v - shift)
		dst[i] = v
		sum += float64(v)
	}
	return sum
}

// expFast does whole vectors in place and the rest through a padded one.
func expFast(dst, x []float32, scale, shift float32) float64 {
	var sums [lanes]float32
	n := len(x) / lanes
	if n > 0 {
		expVectors(&dst[0], &x[0], n, scale, shift, &sums)
	}
	var total float64
	for _, s := range sums {
		total += float64(s)
	}
	if rest := x[n*lanes:]; len(rest) > 0 {
		var padded [lanes]float32
		copy(padded[:], rest)
		expVectors(&padded[0], &padded[0], 1, scale, shift, &sums)
		copy(dst[n*lanes:], padded[:])
		for _, s := range sums[:len(rest)] {
			total += float64(s)
		}
	}
	return total
}

func exp(x float32) float32 {
	if x < low { // not min and max, which take far longer
		x = low
	}
	if x > high {
		x = high
	}
	shifted := x*log2e + round
	n := shifted - round
	r := x - n*ln2hi - n*ln2lo
	p := float32(c0)
	p = p*r + c1
	p = p*r + c2
	p = p*r + c3
	p = p*r + c4
	p = p*r + c5
	p = p*r*r + r + 1
	return p * math.Float32frombits((math.Float32bits(shifted)+127)<<23) // 2^n
}
