// Package hlo writes programs in StableHLO's text form, the input of XLA: one operation a line,
// each with the types that it needs. A wrong use (shapes that do not agree) is a fault of the
// program under construction, and panics.
package hlo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kinds of elements.
const (
	F32  = "f32"
	F64  = "f64"
	BF16 = "bf16"
	I32  = "i32"
	I8   = "i8"
	U8   = "ui8"
	U16  = "ui16"
	Bool = "i1"
)

// Value is a result of an operation, or an argument.
type Value struct {
	Name  string
	Kind  string
	Shape []int
}

// Type is the value's type in the text.
func (v Value) Type() string { return Type(v.Kind, v.Shape) }

// Type is the text of an array's type.
func Type(kind string, shape []int) string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, n := range shape {
		b.WriteString(strconv.Itoa(n))
		b.WriteByte('x')
	}
	b.WriteString(kind)
	b.WriteByte('>')
	return b.String()
}

// Writer writes the operations of one function. The zero value is ready for use.
type Writer struct {
	// Exact demands full precision of products in float32, where a device would round the
	// factors to fewer bits.
	Exact bool

	b      strings.Builder
	next   int
	indent string
}

// String is the operations that were written.
func (w *Writer) String() string { return w.b.String() }

func (w *Writer) line(format string, args ...any) {
	fmt.Fprintf(&w.b, "    %s", w.indent)
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteByte('\n')
}

func (w *Writer) name() string {
	w.next++
	return "%" + strconv.Itoa(w.next-1)
}

// emit writes one operation of one result.
func (w *Writer) emit(kind string, shape []int, format string, args ...any) Value {
	v := Value{w.name(), kind, shape}
	w.line("%s = %s", v.Name, fmt.Sprintf(format, args...))
	return v
}

// results names n results of one operation.
func (w *Writer) results(like []Value) (name string, out []Value) {
	name = w.name()
	for i, v := range like {
		v.Name = fmt.Sprintf("%s#%d", name, i)
		out = append(out, v)
	}
	if len(out) == 1 {
		out[0].Name = name
	}
	return name, out
}

func must(ok bool, format string, args ...any) {
	if !ok {
		panic("hlo: " + fmt.Sprintf(format, args...))
	}
}

func list(n []int) string {
	s := make([]string, len(n))
	for i, v := range n {
		s[i] = strconv.Itoa(v)
	}
	return "[" + strings.Join(s, ", ") + "]"
}

// Names and Types join the names and the types of values.
func Names(v []Value) string { return join(v, func(v Value) string { return v.Name }) }

// Types joins the types of values.
func Types(v []Value) string { return join(v, Value.Type) }

func join(v []Value, f func(Value) string) string {
	s := make([]string, len(v))
	for i := range v {
		s[i] = f(v[i])
	}
	return strings.Join(s, ", ")
}

// Constant is an array with the same value everywhere, written as MLIR's text.
func (w *Writer) Constant(kind, value string, shape ...int) Value {
	return w.emit(kind, shape, "stablehlo.constant dense<%s> : %s", value, Type(kind, shape))
}

// Float is a float32 array with the same value everywhere.
func (w *Writer) Float(v float64, shape ...int) Value {
	return w.Constant(F32, strconv.FormatFloat(v, 'e', 9, 64), shape...)
}

func (w *Writer) binary(op string, a, b Value) Value {
	must(a.Type() == b.Type(), "%s of %s and %s", op, a.Type(), b.Type())
	return w.emit(a.Kind, a.Shape, "stablehlo.%s %s, %s : %s", op, a.Name, b.Name, a.Type())
}

// Add, Sub, Mul and Div are elementwise.
func (w *Writer) Add(a, b Value) Value { return w.binary("add", a, b) }

// Sub is elementwise.
func (w *Writer) Sub(a, b Value) Value { return w.binary("subtract", a, b) }

// Mul is elementwise.
func (w *Writer) Mul(a, b Value) Value { return w.binary("multiply", a, b) }

// Div is elementwise.
func (w *Writer) Div(a, b Value) Value { return w.binary("divide", a, b) }

// Min is elementwise.
func (w *Writer) Min(a, b Value) Value { return w.binary("minimum", a, b) }

// Max is elementwise.
func (w *Writer) Max(a, b Value) Value { return w.binary("maximum", a, b) }

// Unary is an elementwise operation of one argument by its StableHLO name.
func (w *Writer) Unary(op string, a Value) Value {
	return w.emit(a.Kind, a.Shape, "stablehlo.%s %s : %s", op, a.Name, a.Type())
}

// Convert converts the elements.
func (w *Writer) Convert(a Value, kind string) Value {
	if a.Kind == kind {
		return a
	}
	return w.emit(kind, a.Shape, "stablehlo.convert %s : (%s) -> %s", a.Name, a.Type(), Type(kind, a.Shape))
}

// Reshape keeps the elements and their order.
func (w *Writer) Reshape(a Value, shape ...int) Value {
	must(size(a.Shape) == size(shape), "reshape of %v to %v", a.Shape, shape)
	if slices.Equal(a.Shape, shape) {
		return a
	}
	return w.emit(a.Kind, shape, "stablehlo.reshape %s : (%s) -> %s", a.Name, a.Type(), Type(a.Kind, shape))
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Broadcast repeats a; its dimensions are those at dims of shape.
func (w *Writer) Broadcast(a Value, shape []int, dims ...int) Value {
	must(len(dims) == len(a.Shape), "broadcast of %v along %v", a.Shape, dims)
	return w.emit(a.Kind, shape, "stablehlo.broadcast_in_dim %s, dims = %s : (%s) -> %s", a.Name, list(dims), a.Type(), Type(a.Kind, shape))
}

// Transpose makes dimension perm[i] the i-th.
func (w *Writer) Transpose(a Value, perm ...int) Value {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = a.Shape[p]
	}
	return w.emit(a.Kind, shape, "stablehlo.transpose %s, dims = %s : (%s) -> %s", a.Name, list(perm), a.Type(), Type(a.Kind, shape))
}

// Slice takes lo <= i < hi of dimension dim.
func (w *Writer) Slice(a Value, dim, lo, hi int) Value {
	if lo == 0 && hi == a.Shape[dim] {
		return a
	}
	shape := slices.Clone(a.Shape)
	shape[dim] = hi - lo
	at := make([]string, len(shape))
	for i, n := range a.Shape {
		at[i] = fmt.Sprintf("0:%d", n)
	}
	at[dim] = fmt.Sprintf("%d:%d", lo, hi)
	return w.emit(a.Kind, shape, "stablehlo.slice %s [%s] : (%s) -> %s", a.Name, strings.Join(at, ", "), a.Type(), Type(a.Kind, shape))
}

// Concat joins along a dimension.
func (w *Writer) Concat(dim int, parts ...Value) Value {
	if len(parts) == 1 {
		return parts[0]
	}
	shape := slices.Clone(parts[0].Shape)
	shape[dim] = 0
	for _, p := range parts {
		shape[dim] += p.Shape[dim]
	}
	return w.emit(parts[0].Kind, shape, "stablehlo.concatenate %s, dim = %d : (%s) -> %s", Names(parts), dim, Types(parts), Type(parts[0].Kind, shape))
}

// Pad adds values equal to a scalar after those of each dimension.
func (w *Writer) Pad(a, value Value, high ...int) Value {
	shape := slices.Clone(a.Shape)
	zero := make([]int, len(shape))
	for i, n := range high {
		shape[i] += n
	}
	return w.emit(a.Kind, shape, "stablehlo.pad %s, %s, low = %s, high = %s, interior = %s : (%s, %s) -> %s",
		a.Name, value.Name, list(zero), list(high), list(zero), a.Type(), value.Type(), Type(a.Kind, shape))
}

// Reduce folds with add or maximum over dims, from init.
func (w *Writer) Reduce(op string, a Value, init string, dims ...int) Value {
	var shape []int
	for i, n := range a.Shape {
		if !slices.Contains(dims, i) {
			shape = append(shape, n)
		}
	}
	zero := w.Constant(a.Kind, init)
	return w.emit(a.Kind, shape, "stablehlo.reduce(%s init: %s) applies stablehlo.%s across dimensions = %s : (%s, %s) -> %s",
		a.Name, zero.Name, op, list(dims), a.Type(), zero.Type(), Type(a.Kind, shape))
}

// Sum adds over dims.
func (w *Writer) Sum(a Value, dims ...int) Value { return w.Reduce("add", a, "0.0", dims...) }

// Highest is the maximum over dims, of float32.
func (w *Writer) Highest(a Value, dims ...int) Value {
	return w.Reduce("maximum", a, "0xFF800000", dims...)
}

// Axes are the dimensions of the two factors of a product: of the batch, and those that are
// summed over.
type Axes struct{ BatchA, BatchB, OverA, OverB []int }

// Dot multiplies. The result has the batch dimensions, then what is left of a, then of b, with
// elements of the given kind, in which the device also sums, or in a wider one.
func (w *Writer) Dot(kind string, a, b Value, x Axes) Value {
	var shape []int
	for i, d := range x.BatchA {
		must(a.Shape[d] == b.Shape[x.BatchB[i]], "product of batches %v and %v", a.Shape, b.Shape)
		shape = append(shape, a.Shape[d])
	}
	for i, d := range x.OverA {
		must(a.Shape[d] == b.Shape[x.OverB[i]], "product of %v and %v over %v and %v", a.Shape, b.Shape, x.OverA, x.OverB)
	}
	for i, n := range a.Shape {
		if !slices.Contains(x.BatchA, i) && !slices.Contains(x.OverA, i) {
			shape = append(shape, n)
		}
	}
	for i, n := range b.Shape {
		if !slices.Contains(x.BatchB, i) && !slices.Contains(x.OverB, i) {
			shape = append(shape, n)
		}
	}
	batch, precision := "", "DEFAULT"
	if len(x.BatchA) > 0 {
		batch = fmt.Sprintf(" batching_dims = %s x %s,", list(x.BatchA), list(x.BatchB))
	}
	if w.Exact {
		precision = "HIGHEST"
	}
	return w.emit(kind, shape, "stablehlo.dot_general %s, %s,%s contracting_dims = %s x %s, precision = [%s, %s] : (%s, %s) -> %s",
		a.Name, b.Name, batch, list(x.OverA), list(x.OverB), precision, precision, a.Type(), b.Type(), Type(kind, shape))
}

// Iota counts along dimension dim, in int32.
func (w *Writer) Iota(shape []int, dim int) Value {
	return w.emit(I32, shape, "stablehlo.iota dim = %d : %s", dim, Type(I32, shape))
}

// Compare compares elementwise: EQ, NE, GE, GT, LE, LT.
func (w *Writer) Compare(how string, a, b Value) Value {
	order := "SIGNED"
	if a.Kind != I32 && a.Kind != I8 {
		order = "FLOAT"
	}
	return w.emit(Bool, a.Shape, "stablehlo.compare %s, %s, %s, %s : (%s, %s) -> %s", how, a.Name, b.Name, order, a.Type(), b.Type(), Type(Bool, a.Shape))
}

// Select takes a where p holds, else b.
func (w *Writer) Select(p, a, b Value) Value {
	must(a.Type() == b.Type(), "choice between %s and %s", a.Type(), b.Type())
	return w.emit(a.Kind, a.Shape, "stablehlo.select %s, %s, %s : %s, %s", p.Name, a.Name, b.Name, p.Type(), a.Type())
}

// Rows takes rows of table [V, H] at the indices at [N].
func (w *Writer) Rows(table, at Value) Value {
	n, h := at.Shape[0], table.Shape[1]
	index := w.Reshape(at, n, 1)
	return w.emit(table.Kind, []int{n, h}, `"stablehlo.gather"(%s, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, %d>}> : (%s, %s) -> %s`,
		table.Name, index.Name, h, table.Type(), index.Type(), Type(table.Kind, []int{n, h}))
}

// AddRows adds the rows of update [N, H] to those of table [V, H] at the indices at [N].
func (w *Writer) AddRows(table, at, update Value) Value {
	index := w.Reshape(at, at.Shape[0], 1)
	element := Type(table.Kind, nil)
	return w.emit(table.Kind, table.Shape, `"stablehlo.scatter"(%s, %s, %s) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
    ^bb0(%%p: %s, %%q: %s):
      %%s = stablehlo.add %%p, %%q : %s
      stablehlo.return %%s : %s
    }) : (%s, %s, %s) -> %s`, table.Name, index.Name, update.Name, element, element, element, element, table.Type(), index.Type(), update.Type(), table.Type())
}

// Barrier returns the same values, as new ones to the compiler: it shares no work across the barrier, and
// computes nothing behind it before all values are there.
func (w *Writer) Barrier(v ...Value) []Value {
	name, out := w.results(v)
	if len(v) > 1 {
		name += ":" + strconv.Itoa(len(v))
	}
	w.line("%s = stablehlo.optimization_barrier %s : %s", name, Names(v), Types(v))
	return out
}

// Call calls a function of the compiler's or the platform's by name.
func (w *Writer) Call(target, attributes string, args, like []Value) []Value {
	name, out := w.results(like)
	if len(like) > 1 {
		name += ":" + strconv.Itoa(len(like))
	}
	types := Types(like)
	if len(like) > 1 {
		types = "(" + types + ")"
	}
	w.line("%s = stablehlo.custom_call @%s(%s) {%s} : (%s) -> %s", name, target, Names(args), attributes, Types(args), types)
	return out
}

// TopK is the k largest elements along the last dimension, largest first, and their indices.
func (w *Writer) TopK(a Value, k int) (values, indices Value) {
	shape := slices.Clone(a.Shape)
	shape[len(shape)-1] = k
	name, out := w.results([]Value{{Kind: a.Kind, Shape: shape}, {Kind: I32, Shape: shape}})
	w.line("%s:2 = chlo.top_k(%s, k = %d) : %s -> (%s)", name, a.Name, k, a.Type(), Types(out))
	return out[0], out[1]
}

// Finite holds where an element is neither NaN nor infinite.
func (w *Writer) Finite(a Value) Value {
	return w.emit(Bool, a.Shape, "stablehlo.is_finite %s : (%s) -> %s", a.Name, a.Type(), Type(Bool, a.Shape))
}

// Ascending sorts integers along the last dimension.
func (w *Writer) Ascending(a Value) Value {
	element := Type(a.Kind, nil)
	return w.emit(a.Kind, a.Shape, `"stablehlo.sort"(%s) <{dimension = %d : i64, is_stable = false}> ({
    ^bb0(%%p: %s, %%q: %s):
      %%s = stablehlo.compare LT, %%p, %%q, SIGNED : (%s, %s) -> tensor<i1>
      stablehlo.return %%s : tensor<i1>
    }) : (%s) -> %s`, a.Name, len(a.Shape)-1, element, element, element, element, a.Type(), a.Type())
}

// Pick takes from each row of a [N, M] the elements at the indices at [N, K].
func (w *Writer) Pick(a, at Value) Value {
	index := w.Reshape(at, at.Shape[0], at.Shape[1], 1)
	return w.emit(a.Kind, at.Shape, `"stablehlo.gather"(%s, %s) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (%s, %s) -> %s`,
		a.Name, index.Name, a.Type(), index.Type(), Type(a.Kind, at.Shape))
}

// Put is rows of m elements, zero but for values [N, K] at the indices at [N, K], of which a row has none twice.
func (w *Writer) Put(m int, at, values Value) Value {
	n := at.Shape[0]
	zeros := w.Float(0, n, m)
	index := w.Reshape(at, n, at.Shape[1], 1)
	element := Type(values.Kind, nil)
	return w.emit(values.Kind, zeros.Shape, `"stablehlo.scatter"(%s, %s, %s) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [1], index_vector_dim = 2>, unique_indices = true}> ({
    ^bb0(%%p: %s, %%q: %s):
      stablehlo.return %%q : %s
    }) : (%s, %s, %s) -> %s`, zeros.Name, index.Name, values.Name, element, element, element, zeros.Type(), index.Type(), values.Type(), zeros.Type())
}
