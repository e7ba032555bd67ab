package data

import (
	"context"

	"templar/internal/engine"
	"templar/protocol"
)

// Batches reads pages and cuts each as the run parameters say. A batch never spans
// two pages.
func (d *Dataset) Batches(ctx context.Context, ids []uint64, p *protocol.Params) ([]engine.Batch, error) {
	var out []engine.Batch
	for _, id := range ids {
		page, err := d.Page(ctx, id, p.PageTokens)
		if err != nil {
			return nil, err
		}
		out = append(out, Batches(page, p.SequenceLength, p.BatchSize)...)
	}
	return out, nil
}

// Batches cuts a run of n+1 tokens into n positions with their targets: rows of seqLen
// positions, batchSize rows a batch. The last batch may have fewer rows, and a last
// row that is not full is padded with targets that do not count, so that every token
// is used whatever n is.
func Batches(page []int32, seqLen, batchSize int) []engine.Batch {
	if len(page) < 2 || seqLen <= 0 || batchSize <= 0 {
		return nil
	}
	var out []engine.Batch
	positions := len(page) - 1
	for at := 0; at < positions; at += seqLen * batchSize {
		left := positions - at
		rows := min(batchSize, (left+seqLen-1)/seqLen)
		out = append(out, batch(page[at:], rows, seqLen))
	}
	return out
}

// Rows is the first n rows of a batch.
func Rows(b engine.Batch, n int) engine.Batch {
	return engine.Batch{Rows: n, Cols: b.Cols, Inputs: b.Inputs[:n*b.Cols], Targets: b.Targets[:n*b.Cols]}
}

// batch fills rows from tokens, of which the last is only a target.
func batch(tokens []int32, rows, seqLen int) engine.Batch {
	b := engine.Batch{Rows: rows, Cols: seqLen, Inputs: make([]int32, rows*seqLen), Targets: make([]int32, rows*seqLen)}
	for i := range b.Inputs {
		if i+1 < len(tokens) {
			b.Inputs[i], b.Targets[i] = tokens[i], tokens[i+1]
		} else {
			b.Targets[i] = engine.Ignore
		}
	}
	return b
}
