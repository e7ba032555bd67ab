package main

import "math"

// node is a value of the computation: one row of eight columns.
type node struct {
	op   op
	a, b *node
	at   int // load: the row; scale: the constant
}

type op uint8

const (
	load op = iota
	add
	sub
	scale // a times a constant
)

// graph builds the transforms of dct_generic.go, operation by operation, as values.
type graph struct {
	nodes  []*node // in the order in which they are best computed
	consts []float32
}

func (g *graph) node(n node) *node {
	g.nodes = append(g.nodes, &n)
	return &n
}

func (g *graph) scale(a *node, k, n int) *node {
	c := float32(cosQuarter(k, n))
	for i, have := range g.consts {
		if have == c {
			return g.node(node{op: scale, a: a, at: i})
		}
	}
	g.consts = append(g.consts, c)
	return g.node(node{op: scale, a: a, at: len(g.consts) - 1})
}

func (g *graph) add(a, b *node) *node { return g.node(node{op: add, a: a, b: b}) }
func (g *graph) sub(a, b *node) *node { return g.node(node{op: sub, a: a, b: b}) }

// rotate is a*cos + b*sin and a*sin - b*cos for the angle of row i of type IV, length n.
func (g *graph) rotated(a, b *node, i, n int) *node {
	return g.add(g.scale(a, 2*i+1, 2*n), g.scale(b, 2*n-2*i-1, 2*n))
}

func (g *graph) crossed(a, b *node, i, n int) *node {
	return g.sub(g.scale(a, 2*n-2*i-1, 2*n), g.scale(b, 2*i+1, 2*n))
}

func forward(g *graph, x []*node) []*node { return g.two(x) }

func inverse(g *graph, x []*node) []*node { return g.dct3(x) }

func (g *graph) two(x []*node) []*node {
	n := len(x)
	if n == 1 {
		return x
	}
	sums, diffs, out := make([]*node, n/2), make([]*node, n/2), make([]*node, n)
	for i := range sums {
		sums[i] = g.add(x[i], x[n-1-i])
	}
	for k, v := range g.two(sums) {
		out[2*k] = v
	}
	for i := range diffs {
		diffs[i] = g.sub(x[i], x[n-1-i])
	}
	for k, v := range g.dct4Forward(diffs) {
		out[2*k+1] = v
	}
	return out
}

func (g *graph) dct4Forward(x []*node) []*node {
	n := len(x)
	if n == 1 {
		return []*node{g.scale(x[0], 1, 2)}
	}
	h := n / 2
	p, q, out := make([]*node, h), make([]*node, h), make([]*node, n)
	for i := range p {
		p[i] = g.rotated(x[i], x[n-1-i], i, n)
	}
	a := g.two(p)
	for i := range q {
		y, z := x[i], x[n-1-i]
		if i%2 == 1 { // z*cos - y*sin: the sign is turned
			q[i] = g.sub(g.scale(z, 2*i+1, 2*n), g.scale(y, 2*n-2*i-1, 2*n))
		} else {
			q[i] = g.crossed(y, z, i, n)
		}
	}
	b := g.two(q)
	out[0], out[n-1] = a[0], b[0]
	for k := 1; k < h; k++ {
		out[2*k-1], out[2*k] = g.add(a[k], b[h-k]), g.sub(a[k], b[h-k])
	}
	return out
}

func (g *graph) dct3(x []*node) []*node {
	n := len(x)
	if n == 1 {
		return x
	}
	h := n / 2
	even, odd, out := make([]*node, h), make([]*node, h), make([]*node, n)
	for k := range even {
		even[k], odd[k] = x[2*k], x[2*k+1]
	}
	e, o := g.dct3(even), g.dct4Inverse(odd)
	for i := range e {
		out[i], out[n-1-i] = g.add(e[i], o[i]), g.sub(e[i], o[i])
	}
	return out
}

func (g *graph) dct4Inverse(x []*node) []*node {
	n := len(x)
	if n == 1 {
		return []*node{g.scale(x[0], 1, 2)}
	}
	h := n / 2
	p, q, out := make([]*node, h), make([]*node, h), make([]*node, n)
	p[0], q[0] = x[0], x[n-1]
	for k := 1; k < h; k++ {
		p[k] = g.add(x[2*k-1], x[2*k])
	}
	a := g.dct3(p)
	for k := 1; k < h; k++ {
		q[h-k] = g.sub(x[2*k-1], x[2*k])
	}
	b := g.dct3(q)
	for i := range a {
		if i%2 == 1 {
			out[i] = g.sub(g.scale(a[i], 2*i+1, 2*n), g.scale(b[i], 2*n-2*i-1, 2*n))
			out[n-1-i] = g.add(g.scale(a[i], 2*n-2*i-1, 2*n), g.scale(b[i], 2*i+1, 2*n))
		} else {
			out[i], out[n-1-i] = g.rotated(a[i], b[i], i, n), g.crossed(a[i], b[i], i, n)
		}
	}
	return out
}

// cosQuarter is cos(k/n * pi/2). The constants are compared with the package's own,
// bit for bit, by its tests: they follow from equal results.
func cosQuarter(k, n int) float64 { return math.Cos(float64(k) / float64(n) * math.Pi / 2) }
