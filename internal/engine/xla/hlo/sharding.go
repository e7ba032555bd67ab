package hlo

import (
	"fmt"
	"strings"
)

// Axis is the one axis of the mesh of devices, @mesh, of programs for several devices (Shardy).
const Axis = "x"

// Mesh declares the mesh of n devices, in the module.
func Mesh(n int) string { return fmt.Sprintf("sdy.mesh @mesh = <[%q=%d]>", Axis, n) }

// Sharding is how an array of so many dimensions lies on the devices: split along its first
// dimension, or whole on each.
func Sharding(rank int, split bool) string {
	dims := make([]string, rank)
	for i := range dims {
		dims[i] = "{}"
	}
	if split {
		dims[0] = fmt.Sprintf("{%q}", Axis)
	}
	return "<@mesh, [" + strings.Join(dims, ", ") + "]>"
}

// Place has the compiler split a along its first dimension, or keep it whole on each device.
func (w *Writer) Place(a Value, split bool) Value {
	return w.emit(a.Kind, a.Shape, "sdy.sharding_constraint %s %s : %s", a.Name, Sharding(len(a.Shape), split), a.Type())
}

// Local runs body once on each of n devices, with its part of args, which are split along their
// first dimension. like gives the kinds and shapes of the results as a whole, also split.
func (w *Writer) Local(n int, args, like []Value, body func(args []Value) []Value) []Value {
	part := func(v Value) Value {
		shape := append([]int{v.Shape[0] / n}, v.Shape[1:]...)
		return Value{w.name(), v.Kind, shape}
	}
	places := func(v []Value) string {
		return "[" + join(v, func(v Value) string { return Sharding(len(v.Shape), true) }) + "]"
	}
	name, out := w.results(like)
	if len(like) > 1 {
		name = fmt.Sprintf("%s:%d", name, len(like))
	}
	var inner []Value
	for _, a := range args {
		inner = append(inner, part(a))
	}
	w.line("%s = sdy.manual_computation(%s) in_shardings=%s out_shardings=%s manual_axes={%q} (%s) {", name, Names(args), places(args), places(like), Axis,
		join(inner, func(v Value) string { return v.Name + ": " + v.Type() }))
	w.indent += "  "
	results := body(inner)
	w.line("sdy.return %s : %s", Names(results), Types(results))
	w.indent = strings.TrimSuffix(w.indent, "  ")
	types := Types(like)
	if len(like) > 1 {
		types = "(" + types + ")"
	}
	w.line("} : (%s) -> %s", Types(args), types)
	return out
}
