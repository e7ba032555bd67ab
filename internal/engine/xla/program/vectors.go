package program

import (
	"templar/internal/engine/xla/hlo"
	"templar/protocol"
)

// Zeros is () -> vector.
func Zeros(l protocol.Layout, devices int) string {
	f := &function{devices: devices}
	for _, t := range l {
		f.result(f.Float(0, t.Shape...), Split(t, devices))
	}
	return f.module("zeros")
}

// Copy is (vector) -> the same, in memory of its own.
func Copy(l protocol.Layout, devices int) string {
	f := &function{devices: devices}
	for i, v := range f.vector("v", l, -1) {
		f.result(v, Split(l[i], devices))
	}
	return f.module("copy")
}

// Norm is (vector) -> the sum of its squares, float64.
func Norm(l protocol.Layout, devices int) string {
	f := &function{devices: devices}
	sum := f.Constant(hlo.F64, "0.0")
	for _, g := range f.vector("g", l, -1) {
		wide := f.Convert(g, hlo.F64)
		square := f.Mul(wide, wide)
		for len(square.Shape) > 0 {
			square = f.Sum(square, len(square.Shape)-1)
		}
		sum = f.Add(sum, square)
	}
	f.result(sum, false)
	return f.module("norm")
}

// Subtract is (params..., deltas...) -> params - deltas. Where a delta is zero, the parameter
// keeps its bits.
func Subtract(l protocol.Layout, devices int) string {
	f := &function{devices: devices}
	params, deltas := f.vector("p", l, -1), f.vector("d", l, -1)
	for i, t := range l {
		same := f.Compare("EQ", deltas[i], f.Float(0, t.Shape...))
		f.result(f.Select(same, params[i], f.Sub(params[i], deltas[i])), Split(t, devices))
	}
	return f.module("subtract")
}

// Factors is the number of values in the factors of AdamW.
const Factors = 9

// AdamW is (params..., first..., second..., gradient..., factors) -> (params..., first...,
// second...), in the memory of the first three. The factors are clip, decay, first decay, first,
// second decay, second, size, correction and eps of package kernel/adamw, whose order of operations
// this is.
func AdamW(l protocol.Layout, devices int) string {
	f := &function{devices: devices}
	n := len(l)
	params, first, second := f.vector("p", l, 0), f.vector("m", l, n), f.vector("v", l, 2*n)
	grads := f.vector("g", l, -1)
	all := f.arg("factors", hlo.F32, []int{Factors}, false, -1)
	var factor [Factors]hlo.Value
	for i := range factor {
		factor[i] = f.Reshape(f.Slice(all, 0, i, i+1))
	}
	newFirst, newSecond := make([]hlo.Value, n), make([]hlo.Value, n)
	for i, t := range l {
		by := func(v hlo.Value, k int) hlo.Value { return f.Mul(v, f.Broadcast(factor[k], t.Shape)) }
		g := by(grads[i], 0)
		newFirst[i] = f.Add(by(first[i], 2), by(g, 3))
		newSecond[i] = f.Add(by(second[i], 4), f.Mul(by(g, 5), g))
		root := f.Unary("sqrt", newSecond[i])
		under := f.Add(f.Div(root, f.Broadcast(factor[7], t.Shape)), f.Broadcast(factor[8], t.Shape))
		f.result(f.Sub(by(params[i], 1), f.Div(by(newFirst[i], 6), under)), Split(t, devices))
	}
	for _, moments := range [][]hlo.Value{newFirst, newSecond} {
		for i, t := range l {
			f.result(moments[i], Split(t, devices))
		}
	}
	return f.module("adamw")
}
