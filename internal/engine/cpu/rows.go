package cpu

import (
	"context"
	"slices"

	"templar/internal/engine"
)

// RowLosses runs the model forward once for rows with the same inputs that stand together, and computes
// logits only where a target counts: most positions of a row are its context.
func (e *Engine) RowLosses(ctx context.Context, b engine.Batch) ([]engine.Loss, error) {
	defer e.end(e.begin())
	params, err := e.Loaded(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.check(b); err != nil {
		return nil, err
	}
	inputs, of := distinct(b)
	n := len(inputs) / b.Cols
	plan, err := e.plan(engine.Batch{Rows: n, Cols: b.Cols}, false)
	if err != nil {
		return nil, err
	}
	sums := make([]engine.Loss, b.Rows)
	row := 0
	for first := 0; first < n; first += plan.Rows {
		last := min(first+plan.Rows, n)
		e.reserve(last-first, b.Cols, false, false)
		if err := e.forward(ctx, params, inputs[first*b.Cols:last*b.Cols]); err != nil {
			return nil, err
		}
		var at []position
		for ; row < b.Rows && of[row] < last; row++ {
			for c, t := range b.Targets[row*b.Cols:][:b.Cols] {
				if t != engine.Ignore {
					at = append(at, position{row, (of[row]-first)*b.Cols + c, t})
				}
			}
		}
		if err := e.score(ctx, params, at, sums); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// distinct drops each row with the inputs of the row before. of names the place of each row's.
func distinct(b engine.Batch) (inputs []int32, of []int) {
	of = make([]int, b.Rows)
	place := -1
	for r := range b.Rows {
		row := b.Inputs[r*b.Cols:][:b.Cols]
		if r == 0 || !slices.Equal(row, b.Inputs[(r-1)*b.Cols:][:b.Cols]) {
			inputs = append(inputs, row...)
			place++
		}
		of[r] = place
	}
	return inputs, of
}

// position is a counted target of a row, and its token's place in act.top.
type position struct {
	row, token int
	target     int32
}

// score adds the losses of positions to the sums of their rows. It overwrites act.top.
func (e *Engine) score(ctx context.Context, params []float32, at []position, sums []engine.Loss) error {
	a, h, v, n := &e.act, e.model.HiddenSize, e.model.VocabSize, e.act.rows*e.act.cols
	e.normForward(a.normed, a.top, params[e.index.norm:], a.rstd, nil, n)
	losses, targets := make([]float64, a.headRows), make([]int32, a.headRows)
	for piece := range slices.Chunk(at, a.headRows) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, p := range piece {
			copy(a.top[i*h:(i+1)*h], a.normed[p.token*h:])
			targets[i] = p.target
		}
		e.linear(a.logits, a.top, params[e.index.head:], len(piece), v, h, false)
		e.ops.entropy = entropy{logits: a.logits, targets: targets, losses: losses, width: v}
		e.pool.Run(len(piece), rowGrain, &e.ops.entropy)
		for i, p := range piece {
			sums[p.row].Add(engine.Loss{Sum: losses[i], Tokens: 1})
		}
	}
	return nil
}
