package kernel

import "math"

// basis holds the constants of the cosine transforms of one length and, halving it,
// of all shorter ones that its transforms are made of.
type basis struct {
	n    int
	half *basis // nil when n is odd
	// Of an even length: cosine and sine of the n/2 rotations of type IV.
	cos, sin []float32
	// Of an odd length: the dense matrices of types III and IV, [value][frequency];
	// transposed they are those of types II and IV.
	dct3, dct4 []float32
}

func newBasis(n int) *basis {
	b := &basis{n: n}
	if n%2 == 0 {
		b.half = newBasis(n / 2)
		for i := range n / 2 {
			b.cos = append(b.cos, entry(2*i+1, 2*n))
			b.sin = append(b.sin, entry(2*n-(2*i+1), 2*n))
		}
		return b
	}
	for i := range n {
		for k := range n {
			b.dct3 = append(b.dct3, entry((2*i+1)*k, n))
			b.dct4 = append(b.dct4, entry((2*i+1)*(2*k+1), 2*n))
		}
	}
	return b
}

// entry is cos(k/n * pi/2), rounded to float32. Its bits are the same on every
// architecture: math.Cos is assembly on some and differs in the last place, so the
// cosine is our own, from additions, multiplications and divisions, all of which
// IEEE 754 rounds correctly, and with no product left open to fusing.
func entry(k, n int) float32 { return float32(cosQuarter(k, n)) }

// scales returns what makes the transform of a chunk orthonormal: the factor of
// frequencies (u, v) is that of 2*[u > 0] + [v > 0].
func scales(rows, cols int) (s [4]float32) {
	for i := range s {
		s[i] = float32(math.Sqrt(float64((1+i/2)*(1+i%2)) / float64(rows*cols)))
	}
	return s
}

// cosQuarter returns cos(k/n * pi/2). The reduction to [0, pi/4] is exact: integers.
func cosQuarter(k, n int) float64 {
	k %= 4 * n
	if k > 2*n {
		k = 4*n - k
	}
	sign := 1.0
	if k > n {
		k, sign = 2*n-k, -1
	}
	if 2*k <= n {
		return sign * cosSeries(angle(k, n))
	}
	return sign * sinSeries(angle(n-k, n))
}

func angle(k, n int) float64 { return float64(math.Pi*float64(k)) / float64(2*n) }

// cosSeries is Taylor's series to x^18, nested; for x <= pi/4 what is cut off is
// below 1e-20.
func cosSeries(x float64) float64 {
	square, r := float64(x*x), 1.0
	for i := 18; i > 0; i -= 2 {
		r = 1 - float64(square*r)/float64((i-1)*i)
	}
	return r
}

// sinSeries is Taylor's series to x^19, nested.
func sinSeries(x float64) float64 {
	square, r := float64(x*x), 1.0
	for i := 19; i > 1; i -= 2 {
		r = 1 - float64(square*r)/float64((i-1)*i)
	}
	return float64(x * r)
}
