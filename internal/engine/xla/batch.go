package xla

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/xla/program"
	"templar/internal/kernel/pjrt"
)

// Loss runs the model forward.
func (e *Engine) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	if err := e.ready(ctx, true, false); err != nil {
		return engine.Loss{}, err
	}
	return e.batch(ctx, b, false, 0, nil)
}

// RowLosses runs the model forward and adds up each row by itself.
func (e *Engine) RowLosses(ctx context.Context, b engine.Batch) ([]engine.Loss, error) {
	if err := e.ready(ctx, true, false); err != nil {
		return nil, err
	}
	var rows []engine.Loss
	if _, err := e.batch(ctx, b, false, 0, func(l engine.Loss) { rows = append(rows, l) }); err != nil {
		return nil, err
	}
	return rows, nil
}

// Accumulate adds scale times the gradient of the summed loss to the gradient.
func (e *Engine) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	if err := e.ready(ctx, true, true); err != nil {
		return engine.Loss{}, err
	}
	return e.batch(ctx, b, true, scale, nil)
}

// batch runs a batch in parts of as many rows as fit. row, unless it is nil, gets the loss of each row, in order.
func (e *Engine) batch(ctx context.Context, b engine.Batch, backward bool, scale float32, row func(engine.Loss)) (sum engine.Loss, err error) {
	if err := e.check(b); err != nil {
		return engine.Loss{}, err
	}
	defer e.work(time.Now())
	if backward {
		if err := e.materialise(&e.grads); err != nil {
			return engine.Loss{}, err
		}
	}
	cols := paddedCols(b.Cols)
	p, err := e.plan(planKey{paddedRows(b.Rows, len(e.d.devices)), cols, backward})
	if err != nil {
		return engine.Loss{}, err
	}
	for first := 0; first < b.Rows; first += p.shape.Rows {
		if err := ctx.Err(); err != nil { // a program that runs cannot be stopped
			return engine.Loss{}, err
		}
		part := b.Part(first, min(p.shape.Rows, b.Rows-first))
		losses, err := e.part(part, p, backward, scale)
		if err != nil {
			return engine.Loss{}, err
		}
		sum.Add(total(losses, part, p.shape.Cols))
		for r := 0; row != nil && r < part.Rows; r++ {
			row(total(losses[r*p.shape.Cols:], part.Part(r, 1), p.shape.Cols))
		}
	}
	return sum, nil
}

// part runs one program. The losses are those of the shape's positions, valid until the next call.
func (e *Engine) part(b engine.Batch, p plan, backward bool, scale float32) ([]float32, error) {
	s := p.shape
	inputs, err := e.d.rows(pad(b.Inputs, b, s, 0), s.Rows, s.Cols)
	if err != nil {
		return nil, err
	}
	own := vector{inputs}
	defer func() { own.close() }()
	targets, err := e.d.rows(pad(b.Targets, b, s, engine.Ignore), s.Rows, s.Cols)
	if err != nil {
		return nil, err
	}
	own = append(own, targets)
	tables, err := e.angles(s.Cols)
	if err != nil {
		return nil, err
	}
	in := append(append(vector{}, e.params...), inputs, targets, tables[0], tables[1])
	if backward {
		factor, err := same(e.d, []float32{scale}, pjrt.F32)
		if err != nil {
			return nil, err
		}
		own = append(own, factor)
		in = append(append(in, factor), e.grads...)
	}
	out, err := e.d.run(p.program, in...)
	if err != nil {
		if backward {
			e.lost(err)
		}
		return nil, err
	}
	own = append(own, out[0])
	if backward {
		old := e.grads
		e.grads = out[1:]
		if err := old.close(); err != nil {
			return nil, e.lost(err)
		}
	}
	if n := s.Rows * s.Cols; len(e.losses) < n {
		e.losses = make([]float32, n)
	}
	losses := e.losses[:s.Rows*s.Cols]
	for i, a := range out[0] {
		n := len(losses) / len(out[0])
		if err := pjrt.Read(a, losses[i*n:(i+1)*n]); err != nil {
			return nil, e.lost(explain(err)) // an asynchronous failure
		}
	}
	return losses, nil
}

// total sums the losses of counted targets, which are in rows of cols.
func total(losses []float32, b engine.Batch, cols int) (l engine.Loss) {
	for r := range b.Rows {
		for c := range b.Cols {
			if b.Targets[r*b.Cols+c] != engine.Ignore {
				l.Sum += float64(losses[r*cols+c])
				l.Tokens++
			}
		}
	}
	return l
}

// pad makes the rows and columns of the shape from those of the batch.
func pad(tokens []int32, b engine.Batch, s program.Shape, with int32) []int32 {
	if b.Rows == s.Rows && b.Cols == s.Cols {
		return tokens
	}
	out := make([]int32, s.Rows*s.Cols)
	for i := range out {
		out[i] = with
	}
	for r := range b.Rows {
		copy(out[r*s.Cols:], tokens[r*b.Cols:(r+1)*b.Cols])
	}
	return out
}

// paddedCols has few values, because each needs a program: powers of two to 256, and multiples of
// 256. Padding is behind the sequence, where a causal model does not look, and is not counted.
func paddedCols(n int) int {
	if n > 256 {
		return (n + 255) / 256 * 256
	}
	return power(n, 16)
}

// paddedRows is 1, 2, 4, 6, 8 or a multiple of 4, times the devices.
func paddedRows(n, devices int) int {
	n = (n + devices - 1) / devices
	switch {
	case n == 1:
		return devices
	case n <= 8:
		return (n + 1) / 2 * 2 * devices
	}
	return (n + 3) / 4 * 4 * devices
}

// power is the least power of two times from that is n or more.
func power(n, from int) int {
	for from < n {
		from *= 2
	}
	return from
}

// angles are the tables of the rotary embedding.
func (e *Engine) angles(cols int) ([2]array, error) {
	if t, ok := e.tables[cols]; ok {
		return t, nil
	}
	cos, sin := program.Tables(e.model, cols)
	half := int64(e.model.HeadDim() / 2)
	a, err := same(e.d, cos, pjrt.F32, int64(cols), half)
	if err != nil {
		return [2]array{}, err
	}
	b, err := same(e.d, sin, pjrt.F32, int64(cols), half)
	if err != nil {
		return [2]array{}, errors.Join(err, vector{a}.close())
	}
	e.tables[cols] = [2]array{a, b}
	return e.tables[cols], nil
}

// check refuses what the programs do not define.
func (e *Engine) check(b engine.Batch) error {
	if b.Rows < 1 || b.Cols < 1 || b.Rows > math.MaxInt32/b.Cols {
		return fmt.Errorf("batch of %d x %d tokens", b.Rows, b.Cols)
	}
	if n := b.Rows * b.Cols; len(b.Inputs) != n || len(b.Targets) != n {
		return fmt.Errorf("batch of %d x %d tokens has %d inputs and %d targets", b.Rows, b.Cols, len(b.Inputs), len(b.Targets))
	}
	if b.Cols > e.model.MaxPositions {
		return fmt.Errorf("sequence of %d tokens is over max_position_embeddings %d", b.Cols, e.model.MaxPositions)
	}
	known := func(id int32) bool { return id >= 0 && int(id) < e.model.VocabSize }
	for i, id := range b.Inputs {
		if !known(id) {
			return fmt.Errorf("input %d is token %d: the vocabulary has %d", i, id, e.model.VocabSize)
		}
		if t := b.Targets[i]; t != engine.Ignore && !known(t) {
			return fmt.Errorf("target %d is token %d: the vocabulary has %d", i, t, e.model.VocabSize)
		}
	}
	return nil
}
