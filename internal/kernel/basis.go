package kernel

import "math"

// basis is the orthonormal DCT-II of one length, factored into levels: as long as
// the length is even, adding and subtracting mirrored values halves it, and only the
// differences are multiplied, by half of the odd rows of the matrix. Length 64 then
// takes 1365 multiplications in place of 4096.
type basis struct {
	n      int
	place  []int   // frequency -> position in level order
	levels []level // widest first; the last one is not halved
}

// level is one dense block: positions [first, first+size) hold its frequencies in
// ascending order on one side, the folded values on the other.
type level struct {
	first, size int
	byFrequency []float32 // [frequency][value]
	byValue     []float32 // its transpose
}

func newBasis(n int) *basis {
	b := &basis{n: n, place: make([]int, n)}
	length, step := n, 1 // of this level: values, and distance between its frequencies
	for ; length%2 == 0; length, step = length/2, step*2 {
		half := length / 2
		// fold leaves the difference of mirrored values at the mirror's place.
		b.addLevel(half, half, func(k int) int { return (2*k + 1) * step }, func(p int) int { return half - 1 - p })
	}
	b.addLevel(0, length, func(k int) int { return k * step }, func(p int) int { return p })
	return b
}

func (b *basis) addLevel(first, size int, frequency, value func(int) int) {
	l := level{first: first, size: size, byFrequency: make([]float32, size*size), byValue: make([]float32, size*size)}
	for k := range size {
		b.place[frequency(k)] = first + k
		for p := range size {
			c := dctEntry(b.n, frequency(k), value(p))
			l.byFrequency[k*size+p], l.byValue[p*size+k] = c, c
		}
	}
	b.levels = append(b.levels, l)
}

// dctEntry is row u, column i of the orthonormal DCT-II matrix of length n, rounded
// to float32. Its bits are the same on every architecture: math.Cos is assembly on
// some and differs in the last place, so the cosine is our own, from additions,
// multiplications, divisions and a square root, all of which IEEE 754 rounds
// correctly, and with no product left open to fusing.
func dctEntry(n, u, i int) float32 {
	if u == 0 {
		return float32(math.Sqrt(1 / float64(n)))
	}
	return float32(math.Sqrt(2/float64(n)) * cosQuarter((2*i+1)*u, n))
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
