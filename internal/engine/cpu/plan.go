package cpu

import (
	"fmt"

	"templar/internal/engine"
	"templar/internal/kernel/gemm"
	"templar/protocol"
)

// Plan is how a batch is computed within a bound on memory. Gradients and losses of a batch have
// the same bits under every plan, but for tied embeddings, and with OpenBLAS: their sums are then
// added up in another order.
type Plan struct {
	Rows      int   // sequences computed at once
	Recompute bool  // backward computes the activations of a layer again, from its input
	Bytes     int64 // of the buffers
}

// PlanStep returns the fastest way to compute the loss of a batch of rows x cols, and with backward
// its gradient, whose buffers take no more than memory bytes; 0 means no bound. Smaller parts
// cost next to nothing, recomputation a third of a step, so the parts shrink first.
func PlanStep(m protocol.Model, rows, cols, threads int, backward bool, memory int64) (Plan, error) {
	least := Plan{}
	for _, recompute := range []bool{false, true} {
		if recompute && (!backward || m.Layers == 1) {
			break
		}
		for part := rows; ; part = smaller(part, cols) {
			p := Plan{Rows: part, Recompute: recompute, Bytes: size(m, part, cols, threads, backward, recompute)}
			if memory == 0 || p.Bytes <= memory {
				return p, nil
			}
			least = p
			if smaller(part, cols) == part {
				break
			}
		}
	}
	return least, fmt.Errorf("cpu engine: %d sequences of %d tokens need %d MiB beside the parameters, and %d MiB are left", least.Rows, cols, mib(least.Bytes), memory>>20)
}

func mib(n int64) int64 { return (n + 1<<20 - 1) >> 20 }

// smaller is the next smaller part of a batch, about half, in whole blocks of the inner dimension
// of the products that sum over tokens, so that their additions stay in order. A part of one
// block is the smallest.
func smaller(rows, cols int) int {
	unit := gemm.Depth / gcd(gemm.Depth, cols)
	if rows <= unit {
		return rows
	}
	return max(1, (rows+unit-1)/unit/2) * unit
}

func gcd(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// plan is PlanStep for a batch in this engine.
func (e *Engine) plan(b engine.Batch, backward bool) (Plan, error) {
	return PlanStep(e.model, b.Rows, b.Cols, e.pool.Workers(), backward, e.memory)
}

// size is the size of the buffers that reserve makes, in bytes, and of the products' own.
func size(m protocol.Model, rows, cols, threads int, backward, recompute bool) int64 {
	n, h, inner := int64(rows)*int64(cols), int64(m.HiddenSize), int64(m.IntermediateSize)
	qkv := int64((m.Heads + 2*m.KVHeads) * m.HeadDim())
	layer := n * (4*h + qkv + int64(m.Heads) + 3*inner + 2)
	ins, layers := int64(1), int64(1)
	if backward {
		ins = int64(m.Layers)
	}
	if backward && !recompute {
		layers = int64(m.Layers)
	}
	values := ins*n*h + layers*layer
	values += 2*n*h + n + int64(headRows(int(n), m.VocabSize))*int64(m.VocabSize) // top, normed, rstd, logits
	if backward {
		values += 3*n*h + n*qkv + n*inner + int64(blocks(int(n)))*h
	}
	values += int64(cols)*int64(m.HeadDim()) + int64(threads)*2*stripRows*int64(cols)
	values += packed(m, int(n))
	return 4*values + 8*n // float32, and the losses in float64
}

// packed bounds what package gemm packs at once, in values: of the right-hand side of each product
// over n tokens, 512 columns or 2^20 values, and 64 columns more where they are rounded up.
func packed(m protocol.Model, n int) int64 {
	h, inner, most := m.HiddenSize, m.IntermediateSize, 0
	for _, p := range [][2]int{{h, 3 * h}, {3 * h, h}, {h, 2 * inner}, {2 * inner, h}, {inner, h}, {h, inner}, {h, m.VocabSize}, {m.VocabSize, h}, {n, h}, {n, inner}} {
		most = max(most, p[0]*(min(p[1], max(512, 1<<20/p[0]))+64))
	}
	return int64(most)
}
