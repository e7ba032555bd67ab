package kernel

// The one-dimensional transforms, unscaled, over the rows of a matrix: x is n rows of
// width w, transformed in place; t is as large and clobbered.
//
//	two:   X[k] = sum of x[i] cos(pi (2i+1) k / 2n)
//	dct3: x[i] = sum of X[k] cos(pi (2i+1) k / 2n)            the transpose of two
//	dct4: X[k] = sum of x[i] cos(pi (2i+1) (2k+1) / 4n)       its own transpose
//
// Even lengths are halved: type II into II and IV of sums and differences of mirrored
// values, type IV by rotations into two of type II. Length 64 takes 249
// multiplications in place of 4096. The factorisation is the one that Plonka and
// Tasche show to be numerically stable ("Fast and numerically stable algorithms for
// discrete cosine transforms", 2005), without their scaling.

func (b *basis) two(x, t []float32, w int) {
	if b.half == nil {
		dense(x, t, b.dct3, w, b.n, 1)
		return
	}
	h := b.half.n
	mid := h * w
	for i := range h {
		butterfly(t[i*w:][:w], t[mid+i*w:][:w], x[i*w:][:w], x[(b.n-1-i)*w:][:w])
	}
	b.half.two(t[:mid], x[:mid], w)
	b.half.dct4Forward(t[mid:2*mid], x[mid:2*mid], w)
	for k := range h {
		copy(x[2*k*w:][:w], t[k*w:])
		copy(x[(2*k+1)*w:][:w], t[mid+k*w:])
	}
}

func (b *basis) dct4Forward(x, t []float32, w int) {
	if b.half == nil {
		dense(x, t, b.dct4, w, b.n, 1)
		return
	}
	h := b.half.n
	mid := h * w
	for i := range h {
		c, s, y, z := b.cos[i], b.sin[i], x[i*w:][:w], x[(b.n-1-i)*w:][:w]
		if i%2 == 1 { // the second result with its sign turned
			c, s, y, z = s, c, z, y
		}
		rotate(t[i*w:][:w], t[mid+i*w:][:w], y, z, c, s)
	}
	b.half.two(t[:mid], x[:mid], w)
	b.half.two(t[mid:2*mid], x[mid:2*mid], w)
	copy(x[:w], t)
	for k := 1; k < h; k++ {
		butterfly(x[(2*k-1)*w:][:w], x[2*k*w:][:w], t[k*w:][:w], t[mid+(h-k)*w:][:w])
	}
	copy(x[(b.n-1)*w:][:w], t[mid:])
}

func (b *basis) dct3Inverse(x, t []float32, w int) {
	if b.half == nil {
		dense(x, t, b.dct3, w, 1, b.n)
		return
	}
	h := b.half.n
	mid := h * w
	for k := range h {
		copy(t[k*w:][:w], x[2*k*w:])
		copy(t[mid+k*w:][:w], x[(2*k+1)*w:])
	}
	b.half.dct3Inverse(t[:mid], x[:mid], w)
	b.half.dct4Inverse(t[mid:2*mid], x[mid:2*mid], w)
	for i := range h {
		butterfly(x[i*w:][:w], x[(b.n-1-i)*w:][:w], t[i*w:][:w], t[mid+i*w:][:w])
	}
}

func (b *basis) dct4Inverse(x, t []float32, w int) {
	if b.half == nil {
		dense(x, t, b.dct4, w, 1, b.n)
		return
	}
	h := b.half.n
	mid := h * w
	copy(t[:w], x)
	for k := 1; k < h; k++ {
		butterfly(t[k*w:][:w], t[mid+(h-k)*w:][:w], x[(2*k-1)*w:][:w], x[2*k*w:][:w])
	}
	copy(t[mid:][:w], x[(b.n-1)*w:])
	b.half.dct3Inverse(t[:mid], x[:mid], w)
	b.half.dct3Inverse(t[mid:2*mid], x[mid:2*mid], w)
	for i := range h {
		c, s, y, z := b.cos[i], b.sin[i], x[i*w:][:w], x[(b.n-1-i)*w:][:w]
		if i%2 == 1 { // the second argument with its sign turned
			c, s, y, z = s, c, z, y
		}
		rotate(y, z, t[i*w:][:w], t[mid+i*w:][:w], c, s)
	}
}

// butterfly sets s = x + y and d = x - y.
func butterfly(s, d, x, y []float32) {
	n := len(s)
	d, x, y = d[:n], x[:n], y[:n]
	for i := range s {
		s[i], d[i] = x[i]+y[i], x[i]-y[i]
	}
}

// rotate sets p = x*cos + y*sin and q = x*sin - y*cos.
func rotate(p, q, x, y []float32, cos, sin float32) {
	n := len(p)
	q, x, y = q[:n], x[:n], y[:n]
	for i := range p {
		p[i], q[i] = float32(x[i]*cos)+float32(y[i]*sin), float32(x[i]*sin)-float32(y[i]*cos)
	}
}

// dense multiplies x (rows of width w) by a square matrix whose entry for input k and
// output i is m[k*in + i*out]. A sum begins with its first product and goes on in
// ascending k.
func dense(x, t, m []float32, w, in, out int) {
	n := max(in, out)
	copy(t, x[:n*w])
	for i := range n {
		dst := x[i*w:][:w]
		for k := range n {
			addScaled(dst, t[k*w:][:w], m[k*in+i*out], k == 0)
		}
	}
}

func addScaled(dst, x []float32, c float32, first bool) {
	x = x[:len(dst)]
	if first {
		for i, v := range x {
			dst[i] = v * c
		}
		return
	}
	for i, v := range x {
		dst[i] += float32(v * c)
	}
}

// transpose writes the rows of x, which are cols wide, as columns of dst.
func transpose(dst, x []float32, rows, cols int) {
	for r := range rows {
		for c, v := range x[r*cols:][:cols] {
			dst[c*rows+r] = v
		}
	}
}
