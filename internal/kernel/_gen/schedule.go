package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	side   = 64
	stride = 4 * side // bytes between rows
)

// machine is what a transform is scheduled for.
type machine struct {
	name      string
	vector    int // bytes of a register
	registers []reg.VecPhysical
	broadcast bool // multiplies by one constant in memory
}

var avx2 = &machine{name: "AVX2", vector: 32, registers: []reg.VecPhysical{
	reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
	reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
}}

var avx512 = &machine{name: "AVX512", vector: 64, broadcast: true, registers: []reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
	reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
	reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}}

// constants writes the table of a graph's constants: of each one, or a vector of it.
func (m *machine) constants(name string, consts []float32) operand.Mem {
	table := GLOBL(name, attr.RODATA|attr.NOPTR)
	width := m.width()
	for i, c := range consts {
		for at := 0; at < width; at += 4 {
			DATA(width*i+at, operand.U32(math.Float32bits(c)))
		}
	}
	return table
}

func (m *machine) width() int {
	if m.broadcast {
		return 4
	}
	return m.vector
}

// emitter gives the nodes of a graph registers. The value whose next use is farthest
// away leaves first, to the stack unless it can be loaded again (Belady).
type emitter struct {
	*machine
	src, dst operand.Mem // first row
	apart    int         // bytes between rows of the result
	table    operand.Mem
	stack    operand.Mem
	now      int
	uses     map[*node][]int // the nodes that use a value, ascending
	outputs  map[*node][]int // rows of the result
	in       map[*node]int   // register of a value
	held     []*node         // value of a register
	slot     map[*node]int   // of a value on the stack
	free     []int           // slots
	freed    []int           // slots that the operation under way still reads
	slots    int
}

// plan schedules a transform and returns the graph, an emitter of it, and how many bytes
// of stack it takes.
func plan(m *machine, build func(*graph, []*node) []*node) (g *graph, e *emitter, stack int) {
	g = &graph{}
	x := make([]*node, side)
	for i := range x {
		x[i] = &node{op: load, at: i}
	}
	out := build(g, x)
	trial := newEmitter(m, g, out)
	trial.dry(g)
	return g, newEmitter(m, g, out), m.vector * trial.slots
}

func newEmitter(m *machine, g *graph, out []*node) *emitter {
	e := &emitter{
		machine: m, apart: stride,
		uses: map[*node][]int{}, outputs: map[*node][]int{}, in: map[*node]int{},
		slot: map[*node]int{}, held: make([]*node, len(m.registers)),
	}
	for i, n := range g.nodes {
		e.uses[n.a] = append(e.uses[n.a], i)
		if n.b != nil {
			e.uses[n.b] = append(e.uses[n.b], i)
		}
	}
	for row, n := range out {
		e.outputs[n] = append(e.outputs[n], row)
	}
	return e
}

// dry counts the stack slots.
func (e *emitter) dry(g *graph) { e.each(g, func(func()) {}) }

func (e *emitter) run(g *graph) { e.each(g, func(f func()) { f() }) }

func (e *emitter) each(g *graph, do func(func())) {
	for i, n := range g.nodes {
		e.now = i
		e.compute(n, do)
		e.free, e.freed = append(e.free, e.freed...), e.freed[:0]
	}
}

func (e *emitter) compute(n *node, do func(func())) {
	a, b := n.a, n.b
	if n.op == add {
		if _, ok := e.in[a]; !ok {
			a, b = b, a
		}
	}
	ra := e.register(a, nil, do)
	var other operand.Op
	if n.op == scale {
		other = e.table.Offset(e.width() * n.at)
	} else {
		other = e.anywhere(b, a, do)
	}
	e.drop(a)
	e.drop(b)
	r := e.take(nil, nil, do)
	e.held[r], e.in[n] = n, r
	dst, first := e.registers[r], e.registers[ra]
	do(func() {
		switch n.op {
		case add:
			VADDPS(other, first, dst)
		case sub:
			VSUBPS(other, first, dst)
		case scale:
			if e.broadcast {
				VMULPS_BCST(other, first, dst)
			} else {
				VMULPS(other, first, dst)
			}
		}
	})
	for _, row := range e.outputs[n] {
		do(func() { VMOVUPS(dst, e.dst.Offset(e.apart*row)) })
	}
	if e.next(n) == math.MaxInt {
		delete(e.in, n)
		e.held[r] = nil
	}
}

// next is when a value is used after now.
func (e *emitter) next(n *node) int {
	for _, at := range e.uses[n] {
		if at > e.now {
			return at
		}
	}
	return math.MaxInt
}

// drop frees what a value that is not used again occupies.
func (e *emitter) drop(n *node) {
	if n == nil || e.next(n) != math.MaxInt {
		return
	}
	if r, ok := e.in[n]; ok {
		delete(e.in, n)
		e.held[r] = nil
	}
	if s, ok := e.slot[n]; ok {
		delete(e.slot, n)
		e.freed = append(e.freed, s)
	}
}

// memory is where a value that is in no register stands.
func (e *emitter) memory(n *node) operand.Mem {
	if n.op == load {
		return e.src.Offset(stride * n.at)
	}
	return e.stack.Offset(e.vector * e.slot[n])
}

// register brings a value into a register, without evicting keep.
func (e *emitter) register(n, keep *node, do func(func())) int {
	if r, ok := e.in[n]; ok {
		return r
	}
	r := e.take(n, keep, do)
	from := e.memory(n)
	do(func() { VMOVUPS(from, e.registers[r]) })
	e.held[r], e.in[n] = n, r
	return r
}

// anywhere is a register if the value has one, or if one is free and the value is used
// again; else memory.
func (e *emitter) anywhere(n, keep *node, do func(func())) operand.Op {
	if r, ok := e.in[n]; ok {
		return e.registers[r]
	}
	if e.next(n) < math.MaxInt {
		for _, h := range e.held {
			if h == nil {
				return e.registers[e.register(n, keep, do)]
			}
		}
	}
	return e.memory(n)
}

// take returns a free register.
func (e *emitter) take(a, b *node, do func(func())) int {
	far, at := -1, -1
	for r, n := range e.held {
		if n == nil {
			return r
		}
		if n != a && n != b && e.next(n) > at {
			far, at = r, e.next(n)
		}
	}
	n := e.held[far]
	delete(e.in, n)
	e.held[far] = nil
	if _, ok := e.slot[n]; n.op == load || ok {
		return far
	}
	if len(e.free) == 0 {
		e.free = append(e.free, e.slots)
		e.slots++
	}
	s := e.free[len(e.free)-1]
	e.free = e.free[:len(e.free)-1]
	e.slot[n] = s
	to := e.stack.Offset(e.vector * s)
	do(func() { VMOVUPS(e.registers[far], to) })
	return far
}
