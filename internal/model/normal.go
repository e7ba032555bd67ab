package model

import "math"

// normal turns a random word into a value of the standard normal distribution: the quantile of
// u = (2k+1)/2^53 with k the word's upper 52 bits. The order of operations is spec/theta0,
// "Normal values". Only +, -, *, / and the square root are used, which IEEE 754 defines to the
// last bit, each rounded separately: the conversions keep a compiler from fusing two of them.
//
// The rational functions are PPND7 of algorithm AS 241 (Wichura 1988), right to 7 digits.
func normal(word uint64) float64 {
	u := float64(word>>12<<1|1) * 0x1p-53 // exact
	q := u - 0.5                          // exact
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return float64(q*cubic(r, 3.3871327179, 50.434271938, 159.29113202, 59.109374720)) /
			cubic(r, 1, 17.895169469, 78.757757664, 67.187563600)
	}
	r := math.Sqrt(-logarithm(min(u, 1-u)))
	var x float64
	if r <= 5 {
		r -= 1.6
		x = cubic(r, 1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103) / quadratic(r, 1, 0.73700164250, 0.12021132975)
	} else {
		r -= 5
		x = cubic(r, 6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997) / quadratic(r, 1, 0.24197894225, 0.012258202635)
	}
	return math.Copysign(x, q)
}

// cubic is a + b*x + c*x^2 + d*x^3, and quadratic the same without d, by Horner's rule.
func cubic(x, a, b, c, d float64) float64 {
	return float64(x*quadratic(x, b, c, d)) + a
}

func quadratic(x, a, b, c float64) float64 {
	return float64(x*(float64(x*c)+b)) + a
}

// logarithm is ln p for a positive normal p, right to 12 digits: with p = m*2^e, m in
// [sqrt(1/2), sqrt(2)), and s = (m-1)/(m+1), it is e*ln 2 + 2*(s + s^3/3 + s^5/5 + ...).
func logarithm(p float64) float64 {
	m, e := math.Frexp(p) // exact
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1)
	t := float64(s * s)
	series := cubic(t, 1, 1.0/3, 1.0/5, cubic(t, 1.0/7, 1.0/9, 1.0/11, 1.0/13))
	return float64(float64(e)*math.Ln2) + float64(float64(2*s)*series)
}
