package xla

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/host"
	"templar/internal/engine/xla/hlo"
	"templar/internal/engine/xla/program"
	"templar/internal/kernel/pjrt"
	"templar/protocol"
)

// Settings of an engine.
type Settings struct {
	// Precision of matrix products: float32, bf16, or empty for what suits the device (bf16 on GPUs).
	// Parameters, gradient, moments and sums are float32 in any case.
	Precision string
	// Memory bounds what a step takes on a device beside parameters, gradient and moments, in
	// bytes; 0: what is free.
	Memory int64
	// NoSteps says that no local steps will be taken: no memory is kept free for moments.
	NoSteps bool
	// Plain has attention computed by products where fused kernels would be used.
	Plain bool
	// Recompute has the backward pass compute each layer again, also where memory suffices.
	Recompute bool
	// Rows of a batch that are computed at once; 0: as many as fit.
	Rows int
	// HeadCols are the columns of a batch whose logits are computed at once; 0: as many as fit.
	HeadCols int
}

// Engine is an engine.Engine on a Device.
type Engine struct {
	d      *Device
	set    Settings
	kind   string
	model  protocol.Model
	layout protocol.Layout
	fused  bool

	closed bool
	broken error // a program failed that had taken over the state's memory

	params, grads, first, second vector
	steps                        uint64
	kept                         vector // the parameters before the trial step that stands
	trial                        int    // counts trial steps; which undo is of the one that stands

	compressed

	tables map[int][2]array // cos and sin, by columns
	plans  map[planKey]plan

	gradient []float32 // what Gradient returns
	moments  [2][]float32
	losses   []float32
	busy     atomic.Int64 // nanoseconds
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine of a model on the device.
func (d *Device) New(m protocol.Model, s Settings) (*Engine, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("xla engine: %w", err)
	}
	e := &Engine{d: d, set: s, kind: d.kind(), model: m, layout: m.Layout(), tables: map[int][2]array{}, plans: map[planKey]plan{}}
	switch s.Precision {
	case "":
	case "float32":
		e.kind = hlo.F32
	case "bf16":
		e.kind = hlo.BF16
	default:
		return nil, fmt.Errorf("xla engine: precision %q: want float32 or bf16", s.Precision)
	}
	if s.Memory < 0 || s.Rows < 0 || s.HeadCols < 0 {
		return nil, fmt.Errorf("xla engine: settings %+v: want no negative number", s)
	}
	e.fused = d.platform == "cuda" && e.kind == hlo.BF16 && !s.Plain && fusable(m)
	return e, nil
}

// Kind is the platform and the precision of matrix products.
func (e *Engine) Kind() string {
	platform, precision := e.d.platform, e.kind
	if platform == "cpu" {
		platform = "xla-cpu" // cpu is the engine in Go
	}
	if precision == hlo.F32 {
		precision = "float32"
	}
	return platform + " " + precision
}

// fusable reports whether cuDNN's kernels may take heads of this width. Those of more than 128 need a Hopper
// (H100, H200): elsewhere the program does not compile, and attention is computed by products.
func fusable(m protocol.Model) bool { return m.HeadDim()%8 == 0 && m.HeadDim() <= 256 }

// ready returns an error when a call cannot work: one that needs parameters, one that changes
// what a trial step must not see change.
func (e *Engine) ready(ctx context.Context, loaded, changes bool) error {
	switch {
	case e.closed:
		return engine.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case e.broken != nil:
		return e.broken
	case changes && e.kept != nil:
		return engine.ErrTrial
	case loaded && e.params == nil:
		return engine.ErrNotLoaded
	}
	return nil
}

// lost records that the state is gone.
func (e *Engine) lost(err error) error {
	if err != nil {
		e.broken = fmt.Errorf("xla engine: the state on the device is lost: %w", err)
	}
	return err
}

// Layout is the tensor table of the model.
func (e *Engine) Layout() protocol.Layout { return e.layout }

// Source returns the n values of a vector from at on. They are read before the next call.
type Source = func(at, n int) ([]float32, error)

// Sink takes the n values of a vector from at on: it calls write with the memory for them.
type Sink = func(at, n int, write func(dst []float32) error) error

func from(values []float32) Source {
	return func(at, n int) ([]float32, error) { return values[at : at+n], nil }
}

func to(dst []float32) Sink {
	return func(at, n int, write func([]float32) error) error { return write(dst[at : at+n]) }
}

// Load copies the parameters to the device.
func (e *Engine) Load(ctx context.Context, params []float32) error {
	if err := e.ready(ctx, false, true); err != nil {
		return err
	}
	if len(params) != e.layout.Size() {
		return fmt.Errorf("load: %d parameters for a model of %d", len(params), e.layout.Size())
	}
	return e.LoadFrom(ctx, from(params))
}

// LoadFrom loads parameters that come tensor by tensor.
func (e *Engine) LoadFrom(ctx context.Context, params Source) error {
	if err := e.ready(ctx, false, true); err != nil {
		return err
	}
	old := e.params
	e.params = nil // the device may not have room for both
	if err := old.close(); err != nil {
		return e.lost(err)
	}
	v, err := e.put(params)
	if err != nil {
		return err
	}
	e.params = v
	return nil
}

// put copies a vector to the device.
func (e *Engine) put(values Source) (vector, error) {
	var v vector
	for _, t := range e.layout {
		part, err := values(t.Offset, t.Size())
		var a array
		if err == nil {
			a, err = e.d.upload(part, t)
		}
		if err != nil {
			return nil, errors.Join(err, v.close())
		}
		v = append(v, a)
	}
	return v, nil
}

// get copies a vector from the device, zeros if it has no memory yet.
func (e *Engine) get(v vector, dst Sink) error {
	for i, t := range e.layout {
		err := dst(t.Offset, t.Size(), func(dst []float32) error {
			if v == nil {
				clear(dst)
				return nil
			}
			return e.d.read(v[i], dst, t)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// zeros makes a vector of zeros.
func (e *Engine) zeros() (vector, error) {
	x, err := e.d.program("zeros", program.Zeros(e.layout, len(e.d.devices)))
	if err != nil {
		return nil, err
	}
	return e.d.run(x)
}

// Params copies the parameters to dst.
func (e *Engine) Params(ctx context.Context, dst []float32) error {
	if err := e.ready(ctx, true, false); err != nil {
		return err
	}
	if len(dst) != e.layout.Size() {
		return fmt.Errorf("read parameters: %d places for %d", len(dst), e.layout.Size())
	}
	return e.get(e.params, to(dst))
}

// ParamsTo copies the parameters from the device, tensor by tensor.
func (e *Engine) ParamsTo(ctx context.Context, dst Sink) error {
	if err := e.ready(ctx, true, false); err != nil {
		return err
	}
	return e.get(e.params, dst)
}

// Gradient copies the gradient from the device.
func (e *Engine) Gradient(ctx context.Context) ([]float32, error) {
	if err := e.ready(ctx, false, false); err != nil {
		return nil, err
	}
	if e.gradient == nil {
		e.gradient = make([]float32, e.layout.Size())
	}
	return e.gradient, e.get(e.grads, to(e.gradient))
}

// GradientTo copies the gradient from the device, tensor by tensor.
func (e *Engine) GradientTo(ctx context.Context, dst Sink) error {
	if err := e.ready(ctx, false, false); err != nil {
		return err
	}
	return e.get(e.grads, dst)
}

// ClearGradient makes the gradient zero.
func (e *Engine) ClearGradient(ctx context.Context) error {
	if err := e.ready(ctx, false, true); err != nil {
		return err
	}
	old := e.grads
	e.grads = nil
	return e.lost(old.close())
}

// Step moves parameters and moments on the device.
func (e *Engine) Step(ctx context.Context, o engine.AdamW) (norm float64, err error) {
	if err := o.Validate(); err != nil {
		return 0, err
	}
	if err := e.ready(ctx, true, true); err != nil {
		return 0, err
	}
	defer e.work(time.Now())
	if err := e.materialise(&e.grads, &e.first, &e.second); err != nil {
		return 0, err
	}
	if norm, err = e.norm(); err != nil {
		return 0, err
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, engine.ErrNotFinite
	}
	x, err := e.d.program("adamw", program.AdamW(e.layout, len(e.d.devices)))
	if err != nil {
		return 0, err
	}
	f := host.Factors(o, norm, e.steps+1)
	factors, err := same(e.d, []float32{f.Clip, f.Decay, f.FirstDecay, f.First, f.SecondDecay, f.Second, f.Size, f.Correction, f.Eps}, pjrt.F32, program.Factors)
	if err != nil {
		return 0, err
	}
	defer vector{factors}.close()
	in := append(append(append(append(vector{}, e.params...), e.first...), e.second...), e.grads...)
	out, err := e.d.run(x, append(in, factors)...)
	if err != nil {
		return 0, e.lost(err)
	}
	n := len(e.layout)
	taken := in[:3*n]
	e.params, e.first, e.second = out[:n:n], out[n:2*n:2*n], out[2*n:]
	e.steps++
	return norm, e.lost(taken.close())
}

// materialise gives memory to vectors that have none.
func (e *Engine) materialise(vectors ...*vector) error {
	for _, v := range vectors {
		if *v == nil {
			z, err := e.zeros()
			if err != nil {
				return err
			}
			*v = z
		}
	}
	return nil
}

// norm is the L2 norm of the gradient.
func (e *Engine) norm() (float64, error) {
	x, err := e.d.program("norm", program.Norm(e.layout, len(e.d.devices)))
	if err != nil {
		return 0, err
	}
	out, err := e.d.run(x, e.grads...)
	if err != nil {
		return 0, err
	}
	defer vector(out).close()
	square := make([]float64, 1)
	if err := pjrt.Read(out[0][0], square); err != nil {
		return 0, explain(err)
	}
	return math.Sqrt(square[0]), nil
}

// Moments copies the optimizer's state from the device.
func (e *Engine) Moments(ctx context.Context) (engine.Moments, error) {
	if err := e.ready(ctx, false, false); err != nil || e.steps == 0 {
		return engine.Moments{}, err
	}
	if e.moments[0] == nil {
		e.moments = [2][]float32{make([]float32, e.layout.Size()), make([]float32, e.layout.Size())}
	}
	steps, err := e.MomentsTo(ctx, to(e.moments[0]), to(e.moments[1]))
	if err != nil {
		return engine.Moments{}, err
	}
	return engine.Moments{Steps: steps, Tensors: []engine.Tensor{
		{Name: engine.FirstMoment, Values: e.moments[0]}, {Name: engine.SecondMoment, Values: e.moments[1]},
	}}, nil
}

// MomentsTo copies the moments from the device tensor by tensor, unless no step was taken.
func (e *Engine) MomentsTo(ctx context.Context, first, second Sink) (steps uint64, err error) {
	if err := e.ready(ctx, false, false); err != nil || e.steps == 0 {
		return 0, err
	}
	if err := e.get(e.first, first); err != nil {
		return 0, err
	}
	return e.steps, e.get(e.second, second)
}

// Restore copies moments to the device.
func (e *Engine) Restore(ctx context.Context, m engine.Moments) error {
	if err := e.ready(ctx, false, false); err != nil {
		return err
	}
	if err := m.Check(e.layout.Size()); err != nil {
		return err
	}
	if m.Steps == 0 {
		return e.RestoreFrom(ctx, 0, nil, nil)
	}
	return e.RestoreFrom(ctx, m.Steps, from(m.Tensors[0].Values), from(m.Tensors[1].Values))
}

// RestoreFrom restores moments that come tensor by tensor, and were checked.
func (e *Engine) RestoreFrom(ctx context.Context, steps uint64, first, second Source) error {
	if err := e.ready(ctx, false, false); err != nil {
		return err
	}
	old := append(append(vector{}, e.first...), e.second...)
	e.steps, e.first, e.second = 0, nil, nil
	if err := old.close(); err != nil {
		return e.lost(err)
	}
	if steps == 0 {
		return nil
	}
	var err error
	if e.first, err = e.put(first); err != nil {
		return e.lost(err)
	}
	if e.second, err = e.put(second); err != nil {
		return e.lost(err)
	}
	e.steps = steps
	return nil
}

// Try takes the step to new memory and keeps the old: undo is exact.
func (e *Engine) Try(ctx context.Context, step engine.Step) (undo func(context.Context) error, err error) {
	var scratch []float32
	return e.TryFrom(ctx, func(at, n int) ([]float32, error) {
		if len(scratch) < n {
			scratch = make([]float32, n)
		}
		step(scratch[:n], at)
		return scratch[:n], nil
	})
}

// TryFrom takes a step whose deltas come tensor by tensor.
func (e *Engine) TryFrom(ctx context.Context, step Source) (undo func(context.Context) error, err error) {
	if err := e.ready(ctx, true, true); err != nil {
		return nil, err
	}
	x, err := e.d.program("subtract", program.Subtract(e.layout, len(e.d.devices)))
	if err != nil {
		return nil, err
	}
	deltas, err := e.put(step)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, deltas.close()) }()
	out, err := e.d.run(x, append(append(vector{}, e.params...), deltas...)...)
	if err != nil {
		return nil, err
	}
	return e.stand(out), nil
}

// stand makes moved the parameters until the step is undone.
func (e *Engine) stand(moved vector) (undo func(context.Context) error) {
	e.kept, e.params = e.params, moved
	e.trial++
	number := e.trial
	return func(context.Context) error { return e.undo(number) }
}

// undo takes back the trial step of a number, if it stands.
func (e *Engine) undo(number int) error {
	if e.kept == nil || number != e.trial {
		return nil
	}
	moved := e.params
	e.params, e.kept = e.kept, nil
	return e.lost(moved.close())
}

// work counts what a call computed.
func (e *Engine) work(began time.Time) { e.busy.Add(int64(time.Since(began))) }

// Usage is the time of the calls; the device is taken to work throughout.
func (e *Engine) Usage() engine.Usage {
	busy := time.Duration(e.busy.Load())
	return engine.Usage{Busy: busy, CPU: busy}
}

// Close frees the device's memory. The Device stays open.
func (e *Engine) Close() error {
	if e.closed {
		return nil
	}
	err := e.undo(e.trial)
	for _, v := range []vector{e.params, e.grads, e.first, e.second} {
		err = errors.Join(err, v.close())
	}
	err = errors.Join(err, e.closeCompressed())
	for _, t := range e.tables {
		err = errors.Join(err, vector{t[0], t[1]}.close())
	}
	e.closed = true
	e.params, e.grads, e.first, e.second, e.tables, e.plans = nil, nil, nil, nil, nil, nil
	e.gradient, e.moments, e.losses = nil, [2][]float32{}, nil
	return err
}
