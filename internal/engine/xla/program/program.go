// Package program writes the programs of a LLaMA for XLA, one for each phase of work, as
// StableHLO text:
//
//	Loss        losses of a batch
//	Gradient    losses, and the gradient added to the one that is there
//	Zeros       a vector of zeros
//	Norm        the sum of squares of the gradient
//	AdamW       a local step
//	Subtract    a trial step
//	Copy        a copy of a vector
//	Compress    a tensor of a method's buffer moved, and the largest of its chunks
//	Remove      what was sent of them, subtracted
//	Trial       a tensor after the step along a payload
//
// A vector in these (parameters, gradient, moments) is one array for each tensor of the layout,
// in its order. With several devices, each holds its part of the rows of every batch and of every
// matrix, as Split says, and the compiler inserts the exchange (Shardy; FSDP, Zhao et al. 2023).
//
// docs/engine.md derives the backward pass. The programs keep its order of operations,
// but sums have the order that the device chooses.
package program

import (
	"fmt"
	"strings"

	"templar/internal/engine/xla/hlo"
	"templar/protocol"
)

// Shape is what a program of a batch is written for.
type Shape struct {
	Rows, Cols int
	Devices    int    // that share the work; Rows is a multiple
	Kind       string // of matrix products and kept activations: hlo.F32 or hlo.BF16
	Fused      bool   // attention by cuDNN, in bf16; else as products
	Recompute  bool   // the backward pass computes each layer's forward pass again
	HeadCols   int    // columns of which the head computes logits at once; 0: all
}

// Split reports whether a tensor is divided among devices along its rows; else each holds it whole.
func Split(t protocol.Tensor, devices int) bool {
	return devices > 1 && len(t.Shape) == 2 && t.Shape[0]%devices == 0
}

// Loss is (params..., inputs, targets, cos, sin) -> losses. Tokens are [rows, cols], int32; losses
// too, float32, and 0 where the target is not counted. The tables are [cols, D/2].
func Loss(m protocol.Model, s Shape) string { return newLlama(m, s).program(false) }

// Gradient is (params..., inputs, targets, cos, sin, scale, gradient...) -> (losses, gradient...). The
// gradient's memory is donated.
func Gradient(m protocol.Model, s Shape) string { return newLlama(m, s).program(true) }

// function is a program under construction.
type function struct {
	hlo.Writer
	devices       int
	args, results []string
	returned      []hlo.Value
}

// arg adds an argument. donate is the result that takes its memory; -1: none.
func (f *function) arg(name, kind string, shape []int, split bool, donate int) hlo.Value {
	v := hlo.Value{Name: "%" + name, Kind: kind, Shape: shape}
	var attributes []string
	if f.devices > 1 {
		attributes = append(attributes, "sdy.sharding = #sdy.sharding"+hlo.Sharding(len(shape), split))
	}
	if donate >= 0 {
		attributes = append(attributes, fmt.Sprintf("tf.aliasing_output = %d : i32", donate))
	}
	text := v.Name + ": " + v.Type()
	if attributes != nil {
		text += " {" + strings.Join(attributes, ", ") + "}"
	}
	f.args = append(f.args, text)
	return v
}

func (f *function) result(v hlo.Value, split bool) {
	text := v.Type()
	if f.devices > 1 {
		text += " {sdy.sharding = #sdy.sharding" + hlo.Sharding(len(v.Shape), split) + "}"
	}
	f.results, f.returned = append(f.results, text), append(f.returned, v)
}

// vector adds the arguments of a vector. They are donated to the results from donate on, unless
// that is negative.
func (f *function) vector(prefix string, l protocol.Layout, donate int) []hlo.Value {
	out := make([]hlo.Value, len(l))
	for i, t := range l {
		to := -1
		if donate >= 0 {
			to = donate + i
		}
		out[i] = f.arg(fmt.Sprintf("%s%d", prefix, i), hlo.F32, t.Shape, Split(t, f.devices), to)
	}
	return out
}

func (f *function) module(name string) string {
	attributes, mesh := "", ""
	if f.devices > 1 {
		attributes = fmt.Sprintf(" attributes {mhlo.num_partitions = %d : i32, mhlo.num_replicas = 1 : i32}", f.devices)
		mesh = "  " + hlo.Mesh(f.devices) + "\n"
	}
	return fmt.Sprintf("module @%s%s {\n%s  func.func public @main(%s) -> (%s) {\n%s    return %s : %s\n  }\n}\n",
		name, attributes, mesh, strings.Join(f.args, ", "), strings.Join(f.results, ", "), f.String(), hlo.Names(f.returned), hlo.Types(f.returned))
}
