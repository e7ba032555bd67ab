package nn

import "math"

// lanes is the values of a vector.
const lanes = 8

// vectors is how many vectors of n values are left to assembly; Go does the rest.
func vectors(n int) int {
	if !fast {
		return 0
	}
	return n / lanes
}

// Softmax turns scores x, times scale, into c times their probabilities and returns the log
// of the sum of the exponentials. The largest score is taken away first, so that nothing
// overflows; scale is positive, and at least one score finite.
func Softmax(x []float32, scale, c float32) (logSum float64) {
	top := scale * largest(x)
	sum := Exp(x, x, scale, top)
	multiply(x, c*float32(1/sum))
	return float64(top) + math.Log(sum)
}

// ScoreGradient turns the gradient dp of a row of probabilities p = softmax(scale*z) into
// that of z, with mean the sum of p*dp: dz = scale * p * (dp - mean).
func ScoreGradient(dp, p []float32, mean, scale float32) {
	p = p[:len(dp)]
	n := vectors(len(dp))
	if n > 0 {
		scoreGradientVectors(&dp[0], &p[0], n, mean, scale)
	}
	for i := n * lanes; i < len(dp); i++ {
		dp[i] = scale * p[i] * (dp[i] - mean)
	}
}

// SwiGLU sets hidden = silu(gate) * up with silu(x) = x*sigmoid(x) (Shazeer 2020).
func SwiGLU(hidden, gate, up []float32) {
	gate, up = gate[:len(hidden)], up[:len(hidden)]
	Exp(hidden, gate, -1, 0)
	n := vectors(len(hidden))
	if n > 0 {
		swigluVectors(&hidden[0], &gate[0], &up[0], n)
	}
	for i := n * lanes; i < len(hidden); i++ {
		hidden[i] = gate[i] / (1 + hidden[i]) * up[i]
	}
}

// SwiGLUBackward overwrites gate and up with their gradients: with s = sigmoid(gate),
// dgate = dhidden * up * s*(1 + gate*(1-s)) and dup = dhidden * gate*s. It uses hidden
// as scratch.
func SwiGLUBackward(gate, up, dhidden, hidden []float32) {
	up, dhidden, hidden = up[:len(gate)], dhidden[:len(gate)], hidden[:len(gate)]
	Exp(hidden, gate, -1, 0)
	n := vectors(len(gate))
	if n > 0 {
		swigluBackwardVectors(&gate[0], &up[0], &dhidden[0], &hidden[0], n)
	}
	for i := n * lanes; i < len(gate); i++ {
		g, s := gate[i], 1/(1+hidden[i])
		gate[i], up[i] = dhidden[i]*up[i]*s*(1+g*(1-s)), dhidden[i]*g*s
	}
}

// Rotate turns the pairs (a, b) by angles of which it is given cosine and sine; backward with
// sign -1.
func Rotate(a, b, cos, sin []float32, sign float32) {
	b, cos, sin = b[:len(a)], cos[:len(a)], sin[:len(a)]
	n := vectors(len(a))
	if n > 0 {
		rotateVectors(&a[0], &b[0], &cos[0], &sin[0], n, sign)
	}
	for i := n * lanes; i < len(a); i++ {
		c, s := cos[i], sin[i]*sign
		a[i], b[i] = a[i]*c-b[i]*s, b[i]*c+a[i]*s
	}
}

// Norm sets y = x*s*w, the row of an RMSNorm with s = 1/sqrt(mean(x^2) + eps).
func Norm(y, x, w []float32, s float32) {
	x, w = x[:len(y)], w[:len(y)]
	n := vectors(len(y))
	if n > 0 {
		normVectors(&y[0], &x[0], &w[0], n, s)
	}
	for i := n * lanes; i < len(y); i++ {
		y[i] = x[i] * s * w[i]
	}
}

// NormBackward adds the gradients of a row of Norm: dx += s*(dy*w - x*c) with
// c = s^2 * mean(dy*w*x), and dw += dy*x*s.
func NormBackward(dx, dw, dy, x, w []float32, s float32) {
	h := len(dx)
	dw, dy, x, w = dw[:h], dy[:h], x[:h], w[:h]
	c := float32(dot3(dy, w, x)/float64(h)) * s * s
	n := vectors(h)
	if n > 0 {
		normBackwardVectors(&dx[0], &dw[0], &dy[0], &x[0], &w[0], n, s, c)
	}
	for i := n * lanes; i < h; i++ {
		dx[i] += s * (dy[i]*w[i] - x[i]*c)
		dw[i] += dy[i] * x[i] * s
	}
}

// Dot is the sum of x*y, in float64.
func Dot(x, y []float32) float64 {
	y = y[:len(x)]
	var sums [lanes]float64
	n := vectors(len(x))
	if n > 0 {
		dotVectors(&x[0], &y[0], n, &sums)
	}
	for i := n * lanes; i < len(x); i++ {
		sums[i%lanes] += float64(x[i]) * float64(y[i])
	}
	return total(&sums)
}

// dot3 is the sum of x*y*z; x*y is float32.
func dot3(x, y, z []float32) float64 {
	y, z = y[:len(x)], z[:len(x)]
	var sums [lanes]float64
	n := vectors(len(x))
	if n > 0 {
		dot3Vectors(&x[0], &y[0], &z[0], n, &sums)
	}
	for i := n * lanes; i < len(x); i++ {
		sums[i%lanes] += float64(x[i]*y[i]) * float64(z[i])
	}
	return total(&sums)
}

func total(sums *[lanes]float64) (sum float64) {
	for _, s := range sums {
		sum += s
	}
	return sum
}

// largest passes NaN over: the exponential of one stays one.
func largest(x []float32) float32 {
	top := float32(math.Inf(-1))
	n := vectors(len(x))
	if n > 0 {
		var tops [lanes]float32
		largestVectors(&x[0], n, &tops)
		for _, v := range tops {
			top = max(top, v)
		}
	}
	for _, v := range x[n*lanes:] {
		if v > top { // not max, which takes far longer
			top = v
		}
	}
	return top
}

// multiply sets x = c*x.
func multiply(x []float32, c float32) {
	n := vectors(len(x))
	if n > 0 {
		multiplyVectors(&x[0], n, c)
	}
	for i := n * lanes; i < len(x); i++ {
		x[i] *= c
	}
}
