package program

// This is the one file that is for NVIDIA's hardware only.

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"templar/internal/engine/xla/hlo"
)

// fused is attend by cuDNN's fused kernels, which never store the scores. The operands stay in the
// order [B, T, heads, D], and grouped heads as they are.
func (l *llama) fused(q, k, v hlo.Value) attention {
	b, t, n, d := l.s.Rows, l.s.Cols, l.m.Heads, l.m.HeadDim()
	like := []hlo.Value{{Kind: hlo.BF16, Shape: []int{b, n, t, d}}, {Kind: hlo.F32, Shape: []int{b, n, t}}}
	r := l.local([]hlo.Value{q, k, v}, like, func(b int, args []hlo.Value) []hlo.Value {
		results := append(batches(like, b), hlo.Value{Kind: hlo.U8, Shape: []int{0}}) // the last is scratch
		return l.fmha("__cudnn$fmhaSoftmax", b, args, results, map[string]any{
			"bmm1_dot_dimension_numbers": product("3", "3", "2", "2"),
			"bmm2_dot_dimension_numbers": product("3", "1", "1", "2"),
		})[:2]
	})
	return attention{q: q, k: k, v: v, mix: l.Transpose(r[0], 0, 2, 1, 3), sums: r[1]}
}

func (l *llama) fusedBackward(a attention, dmix hlo.Value) (dq, dk, dv hlo.Value) {
	b, t, d := l.s.Rows, l.s.Cols, l.m.HeadDim()
	heads := func(n int) hlo.Value { return hlo.Value{Kind: hlo.BF16, Shape: []int{b, n, t, d}} }
	like := []hlo.Value{heads(l.m.Heads), heads(l.m.KVHeads), heads(l.m.KVHeads)}
	r := l.local([]hlo.Value{a.q, a.k, a.v, a.sums, dmix, a.mix}, like, func(b int, args []hlo.Value) []hlo.Value {
		results := append(batches(like, b), hlo.Value{Kind: hlo.U8, Shape: []int{0}})
		return l.fmha("__cudnn$fmhaSoftmaxBackward", b, args, results, map[string]any{
			"bmm1_grad_gemm1_dot_dimension_numbers": product("2", "1", "1", "2"),
			"bmm1_grad_gemm2_dot_dimension_numbers": product("3", "1", "1", "2"),
			"bmm2_grad_gemm1_dot_dimension_numbers": product("2", "1", "1", "2"),
			"bmm2_grad_gemm2_dot_dimension_numbers": product("3", "3", "2", "2"),
		})[:3]
	})
	turn := func(v hlo.Value) hlo.Value { return l.Transpose(v, 0, 2, 1, 3) }
	return turn(r[0]), turn(r[1]), turn(r[2])
}

// local has each device compute its own rows, because the compiler cannot divide a foreign call. body
// gets the number of rows.
func (l *llama) local(args, like []hlo.Value, body func(rows int, args []hlo.Value) []hlo.Value) []hlo.Value {
	if l.devices == 1 {
		return body(l.s.Rows, args)
	}
	rows := l.s.Rows / l.devices
	return l.Local(l.devices, args, like, func(args []hlo.Value) []hlo.Value { return body(rows, args) })
}

// batches are the values with so many rows.
func batches(v []hlo.Value, rows int) []hlo.Value {
	out := make([]hlo.Value, len(v))
	for i, a := range v {
		out[i] = hlo.Value{Kind: a.Kind, Shape: append([]int{rows}, a.Shape[1:]...)}
	}
	return out
}

// dims names the dimensions of one product within attention.
type dims struct {
	LC []string `json:"lhs_contracting_dimensions"`
	RC []string `json:"rhs_contracting_dimensions"`
	LB []string `json:"lhs_batch_dimensions"`
	RB []string `json:"rhs_batch_dimensions"`
}

func product(lc, rc, l2, r2 string) dims {
	return dims{[]string{lc}, []string{rc}, []string{"0", l2}, []string{"0", r2}}
}

// fmha is XLA's call of cuDNN (xla/service/gpu/backend_configs.proto, CudnnfMHABackendConfig), with a
// causal mask, as JAX lowers dot_product_attention.
func (l *llama) fmha(target string, rows int, args, results []hlo.Value, products map[string]any) []hlo.Value {
	t := strconv.Itoa(l.s.Cols)
	config := map[string]any{
		"algorithm": map[string]any{
			"algo_id": "0", "math_type": "TENSOR_OP_MATH", "tuning_knobs": map[string]string{"17": "1", "24": "0"},
			"is_cudnn_frontend": true, "workspace_size": "0",
		},
		"fmha_scale": 1 / math.Sqrt(float64(l.m.HeadDim())),
		"intermediate_tensor_shape": map[string]any{
			"element_type": "BF16", "dimensions": []string{strconv.Itoa(rows), strconv.Itoa(l.m.Heads), t, t}, "tuple_shapes": []int{},
			"layout": map[string]any{
				"dim_level_types": []int{}, "dim_unique": []int{}, "dim_ordered": []int{}, "minor_to_major": []string{"3", "2", "1", "0"},
				"tiles": []int{}, "element_size_in_bits": "0", "memory_space": "0", "index_primitive_type": "PRIMITIVE_TYPE_INVALID",
				"pointer_primitive_type": "PRIMITIVE_TYPE_INVALID", "dynamic_shape_metadata_prefix_bytes": "0",
			},
			"is_dynamic_dimension": []bool{false, false, false, false},
		},
		"is_flash_attention": true, "mask_type": "CAUSAL", "dropout_rate": 0.0, "seed": 42, "sliding_window_length": 0,
		"max_seg_per_batch": 1, "is_paged_attention": false,
	}
	for k, v := range products {
		config[k] = v
	}
	text, err := json.Marshal(map[string]any{"operation_queue_id": "0", "cudnn_fmha_backend_config": config})
	if err != nil {
		panic(err) // of strings and numbers
	}
	attributes := `api_version = 2 : i32, backend_config = "` + strings.ReplaceAll(string(text), `"`, `\22`) +
		`", operand_layouts = [` + layouts(args, false) + `], result_layouts = [` + layouts(results, true) + `]`
	return l.Call(target, attributes, args, results)
}

// layouts are row-major, but results [B, N, T, D] lie as [B, T, N, D].
func layouts(values []hlo.Value, results bool) string {
	out := make([]string, len(values))
	for i, v := range values {
		switch {
		case len(v.Shape) == 4 && results:
			out[i] = "dense<[3, 1, 2, 0]> : tensor<4xindex>"
		case len(v.Shape) == 4:
			out[i] = "dense<[3, 2, 1, 0]> : tensor<4xindex>"
		case len(v.Shape) == 3:
			out[i] = "dense<[2, 1, 0]> : tensor<3xindex>"
		default:
			out[i] = "dense<0> : tensor<1xindex>"
		}
	}
	return strings.Join(out, ", ")
}
