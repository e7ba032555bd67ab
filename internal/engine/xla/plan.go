package xla

import (
	"errors"
	"fmt"

	"templar/internal/engine/xla/program"
	"templar/internal/kernel/pjrt"
	"templar/protocol"
)

// planKey is what a plan is made for: a padded batch.
type planKey struct {
	rows, cols int
	backward   bool
}

// plan is how a batch is computed: in parts of shape.Rows, by a program.
type plan struct {
	shape   program.Shape
	program *pjrt.Program
}

// plan chooses the largest parts whose program fits into memory, without recomputation where
// that fits: it costs a third more work, while parts of fewer rows only use the device less well. What the compiler
// plans is known after compilation; an estimate leaves out the candidates that cannot fit.
func (e *Engine) plan(k planKey) (plan, error) {
	if p, ok := e.planned(k); ok {
		return p, nil
	}
	budget := e.budget(k.backward)
	var planned error
	for _, s := range e.candidates(k) {
		last := s.Rows == len(e.d.devices) && (s.Recompute || !k.backward)
		if budget > 0 && !last && program.Activations(e.model, s, k.backward) > 2*budget {
			continue // an estimate may be wrong by some factor
		}
		text, what := program.Loss(e.model, s), "loss"
		if k.backward {
			text, what = program.Gradient(e.model, s), "gradient"
		}
		x, err := e.d.program(fmt.Sprintf("%s of %d x %d", what, s.Rows, s.Cols), text)
		var bad *pjrt.Error
		if errors.As(err, &bad) && bad.Code == pjrt.ResourceExhausted && !last {
			planned = err
			continue
		}
		if err != nil && s.Fused {
			e.fused = false
			e.d.slow("attention is computed by products, slower and with more memory: the fused kernels do not compile for heads of %d here: %v", e.model.HeadDim(), err)
			return e.plan(k)
		}
		if err != nil {
			return plan{}, err
		}
		m, err := x.Memory()
		if err == nil && budget > 0 && m.Temporary+m.Code > budget {
			planned = fmt.Errorf("a %s of %d x %d tokens needs %d MiB beside the state, and %d MiB are free: use a device with more memory, more devices, or a smaller model",
				what, s.Rows, s.Cols, (m.Temporary+m.Code)>>20, budget>>20)
			continue
		}
		e.d.log("a batch of %d x %d is computed by %d rows, recomputation %t, fused attention %t; %d MiB beside the state",
			k.rows, k.cols, s.Rows, s.Recompute, s.Fused, (m.Temporary+m.Code)>>20)
		e.plans[k] = plan{s, x}
		return e.plans[k], nil
	}
	return plan{}, planned
}

// planned is the plan of the fewest rows that a batch can be padded to. The last batch of a window has
// fewer rows than others: to pad it costs less than to compile.
func (e *Engine) planned(k planKey) (best plan, ok bool) {
	rows := 0
	for have, p := range e.plans {
		if have.cols == k.cols && have.backward == k.backward && have.rows >= k.rows && (!ok || have.rows < rows) {
			best, ok, rows = p, true, have.rows
		}
	}
	return best, ok
}

// Prepare compiles what batches of a size will need: the gradient and local steps, or without train the loss and
// trial steps. Compilation takes longer than a window.
func (e *Engine) Prepare(rows, cols int, train bool) error {
	if rows < 1 || cols < 1 {
		return fmt.Errorf("prepare batches of %d x %d tokens", rows, cols)
	}
	n := len(e.d.devices)
	if _, err := e.plan(planKey{paddedRows(rows, n), paddedCols(cols), train}); err != nil {
		return err
	}
	programs := map[string]func(protocol.Layout, int) string{"subtract": program.Subtract}
	if train {
		programs = map[string]func(protocol.Layout, int) string{"zeros": program.Zeros, "norm": program.Norm, "adamw": program.AdamW}
	}
	for name, text := range programs {
		if _, err := e.d.program(name, text(e.layout, n)); err != nil {
			return err
		}
	}
	return nil
}

// candidates are shapes for a batch, best first.
func (e *Engine) candidates(k planKey) (out []program.Shape) {
	n := len(e.d.devices)
	most := k.rows
	if e.set.Rows > 0 {
		most = min(most, max(e.set.Rows/n, 1)*n)
	}
	for rows := most; ; rows = max(rows/n/2, 1) * n {
		s := program.Shape{Rows: rows, Cols: k.cols, Devices: n, Kind: e.kind, Fused: e.fused && k.cols%64 == 0}
		s = program.Pieces(e.model, s)
		if e.set.HeadCols > 0 {
			s.HeadCols = e.set.HeadCols
		}
		if !k.backward || !e.set.Recompute {
			out = append(out, s)
		}
		if k.backward {
			s.Recompute = true
			out = append(out, s)
		}
		if rows == n {
			break
		}
	}
	return out
}

// budget is the bytes that a program may take on a device beside the state; 0: not known.
func (e *Engine) budget(backward bool) int64 {
	if e.set.Memory > 0 {
		return e.set.Memory
	}
	m, err := e.d.devices[0].Memory()
	if err != nil || m.Limit == 0 {
		return 0
	}
	size := int64(e.layout.Size()) * 4 / int64(len(e.d.devices))
	free := m.Limit - m.Used - int64(e.missing(backward))*size
	return max(free/16*15, 1)
}

// missing is how many vectors will come beside those that are there: of a miner, a gradient and what it compresses, and for local
// steps two moments and the parameters that it began from; of other nodes, a trial step's copy.
func (e *Engine) missing(backward bool) (n int) {
	vectors := []vector{e.params, e.kept}
	if backward {
		vectors = []vector{e.params, e.grads, e.buffer}
		if !e.set.NoSteps {
			vectors = append(vectors, e.first, e.second, e.start)
		}
	}
	for _, v := range vectors {
		if v == nil {
			n++
		}
	}
	return n
}
