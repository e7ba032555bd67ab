package enginetest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/protocol"
)

// small moves every parameter a little, up or down or not at all.
func small(dst []float32, at int) {
	for i := range dst {
		dst[i] = 1e-3 * float32((at+i)%3-1)
	}
}

func (f fixture) try(t *testing.T, step engine.Step) (undo func()) {
	t.Helper()
	back, err := f.Try(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := back(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// trials takes steps and undoes them.
func trials(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 2, 2, 9)
	rng := rand.New(rand.NewPCG(5, 6))
	before := f.loss(t, f.batch)
	undo := f.try(t, small)
	if f.loss(t, f.batch) == before {
		t.Error("a trial step does not change the loss")
	}
	undo()
	if after := f.loss(t, f.batch); after != before {
		t.Errorf("the loss is %v after undo, and was %v", after, before)
	}
	for name, draw := range map[string]func() float32{
		"trained":  func() float32 { return float32(rng.NormFloat64() * 0.02) },
		"norms":    func() float32 { return float32(1 + rng.NormFloat64()*0.1) },
		"tiny":     func() float32 { return float32(rng.NormFloat64() * 1e-12) },
		"zeros":    func() float32 { return float32(math.Copysign(0, rng.Float64()-0.5)) },
		"any bits": func() float32 { return math.Float32frombits(rng.Uint32()) },
	} {
		params, delta := make([]float32, len(f.params)), make([]float32, len(f.params))
		for i := range params {
			params[i], delta[i] = draw(), float32(1-rng.IntN(3))*8e-5
		}
		f.load(t, params)
		undo := f.try(t, func(dst []float32, at int) { copy(dst, delta[at:]) })
		for i, v := range f.now(t) {
			if want := params[i] - delta[i]; v != want && v == v {
				t.Fatalf("%s: parameter %d became %v, want %v", name, i, v, want)
			}
		}
		undo()
		sameFloats(t, f.now(t), params)
		again := f.try(t, small)
		moved := f.now(t)
		undo() // of the earlier step: does nothing
		sameFloats(t, f.now(t), moved)
		again()
		sameFloats(t, f.now(t), params)
	}
}

// state loads other parameters: gradient and moments stay, and what was loaded before is
// forgotten.
func state(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 2, 2, 9)
	sameFloats(t, f.read(t), make([]float32, len(f.params)))
	sameFloats(t, f.now(t), f.params)
	before := f.loss(t, f.batch)
	grads, _ := f.gradient(t, part{f.batch, 1})
	f.step(t, settings)
	moments := keep(f.moments(t))
	moved := f.now(t)
	if slices.Equal(moved, f.params) || f.loss(t, f.batch) == before {
		t.Error("a step moves nothing")
	}
	f.load(t, f.params)
	if l := f.loss(t, f.batch); l != before {
		t.Errorf("the loss is %v after loading, and was %v", l, before)
	}
	sameFloats(t, f.read(t), grads)
	for k, tensor := range f.moments(t).Tensors {
		sameFloats(t, tensor.Values, moments.Tensors[k].Values)
	}
	// What Load lent is what Params is given: what an engine on a device writes, and one in the
	// caller's memory need not.
	lent := slices.Clone(f.params)
	if err := f.Load(t.Context(), lent); err != nil {
		t.Fatal(err)
	}
	if err := f.Restore(t.Context(), engine.Moments{}); err != nil {
		t.Fatal(err)
	}
	f.step(t, settings)
	if err := f.Params(t.Context(), lent); err != nil {
		t.Fatal(err)
	}
	sameFloats(t, lent, moved)
	// Moved by the caller, as an Aggregate does, and loaded again.
	copy(lent, f.params)
	if err := f.Load(t.Context(), lent); err != nil {
		t.Fatal(err)
	}
	if l := f.loss(t, f.batch); l != before {
		t.Errorf("the loss is %v with the same memory loaded again, want %v", l, before)
	}
}

// sideBySide works on two engines in turn: neither sees the other.
func sideBySide(t *testing.T, open New) {
	models := Models()
	a, b := newFixture(t, open, models["plain"], 2, 2, 9), newFixture(t, open, models["grouped"], 2, 2, 9)
	c := newFixture(t, open, models["plain"], 2, 2, 9)
	gradA, _ := a.gradient(t, part{a.batch, 1})
	lossA := a.loss(t, a.batch)
	_, _ = b.gradient(t, part{b.batch, 3})
	undo := b.try(t, small)
	c.try(t, small)
	sameFloats(t, a.read(t), gradA)
	a.step(t, settings)
	undo()
	b.step(t, with(func(o *engine.AdamW) { o.LearningRate = 1 }))
	a.load(t, a.params)
	if l := a.loss(t, a.batch); l != lossA {
		t.Errorf("the loss is %v beside other engines, alone %v", l, lossA)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if m := a.moments(t); m.Steps != 1 {
		t.Errorf("%d steps, want 1", m.Steps)
	}
}

func refusals(t *testing.T, open New) {
	m := Models()["plain"]
	if e, err := open(protocol.Model{}, 1); err == nil {
		e.Close()
		t.Error("an empty model is taken")
	}
	cases := map[string]func(f *fixture){
		"token past the vocabulary":  func(f *fixture) { f.batch.Inputs[3] = int32(m.VocabSize) },
		"negative token":             func(f *fixture) { f.batch.Inputs[3] = -1 },
		"target past the vocabulary": func(f *fixture) { f.batch.Targets[3] = int32(m.VocabSize) },
		"negative target":            func(f *fixture) { f.batch.Targets[3] = -1 },
		"too few targets":            func(f *fixture) { f.batch.Targets = f.batch.Targets[1:] },
		"empty batch":                func(f *fixture) { f.batch = engine.Batch{} },
		"sizes that overflow":        func(f *fixture) { f.batch.Rows, f.batch.Cols = 1<<62, 1<<62 },
		"sequence over the limit":    func(f *fixture) { f.batch = longBatch(m) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, open, m, 1, 2, 4)
			spoil(&f)
			if _, err := f.Loss(t.Context(), f.batch); err == nil {
				t.Error("Loss succeeds")
			}
			if _, err := f.RowLosses(t.Context(), f.batch); err == nil {
				t.Error("RowLosses succeeds")
			}
			if _, err := f.Accumulate(t.Context(), f.batch, 1); err == nil {
				t.Error("Accumulate succeeds")
			}
		})
	}
	t.Run("sizes", func(t *testing.T) {
		f := newFixture(t, open, m, 1, 2, 4)
		if err := f.Load(t.Context(), f.params[1:]); err == nil {
			t.Error("too few parameters are loaded")
		}
		if err := f.Params(t.Context(), make([]float32, len(f.params)+1)); err == nil {
			t.Error("parameters are read to a longer slice")
		}
		sameFloats(t, f.now(t), f.params)
	})
}

// calls are the methods that may fail, by name.
func (f fixture) calls() map[string]func(context.Context) error {
	calls := map[string]func(context.Context) error{
		"Load":      func(ctx context.Context) error { return f.Load(ctx, slices.Clone(f.params)) },
		"Params":    func(ctx context.Context) error { return f.Params(ctx, make([]float32, len(f.params))) },
		"Loss":      func(ctx context.Context) error { _, err := f.Loss(ctx, f.batch); return err },
		"RowLosses": func(ctx context.Context) error { _, err := f.RowLosses(ctx, f.batch); return err },
		"Accumulate": func(ctx context.Context) error {
			_, err := f.Accumulate(ctx, f.batch, 1)
			return err
		},
		"Gradient":      func(ctx context.Context) error { _, err := f.Gradient(ctx); return err },
		"ClearGradient": f.ClearGradient,
		"Step":          func(ctx context.Context) error { _, err := f.Step(ctx, settings); return err },
		"Moments":       func(ctx context.Context) error { _, err := f.Moments(ctx); return err },
		"Restore":       func(ctx context.Context) error { return f.Restore(ctx, engine.Moments{}) },
		"Try":           func(ctx context.Context) error { _, err := f.Try(ctx, small); return err },
	}
	if c := engine.CompressorOf(f.Engine); c != nil {
		calls["Begin"] = func(ctx context.Context) error { return c.Begin(ctx, compression(f.Layout(), 8, 5)) }
		calls["Begin of steps"] = func(ctx context.Context) error {
			how := compression(f.Layout(), 8, 5)
			how.Steps = true
			return c.Begin(ctx, how)
		}
		calls["Compress"] = func(ctx context.Context) error { _, err := c.Compress(ctx, 1, 1); return err }
		calls["TrySent"] = func(ctx context.Context) error {
			how := compression(f.Layout(), 8, 1)
			n := 0
			for _, kept := range how.Kept(f.Layout()) {
				n += kept
			}
			_, err := c.TrySent(ctx, engine.Sent{Compression: how, Chosen: engine.Chosen{Index: make([]uint16, n), Value: make([]float32, n)}})
			return err
		}
		calls["Buffer"] = func(ctx context.Context) error { return c.Buffer(ctx, make([]float32, len(f.params))) }
		calls["SetBuffer"] = func(ctx context.Context) error { return c.SetBuffer(ctx, f.params) }
	}
	return calls
}

// order calls methods when they cannot work: before Load, under a trial step, after Close.
func order(t *testing.T, open New) {
	m := Models()["plain"]
	check := func(t *testing.T, f fixture, want error, names ...string) {
		t.Helper()
		calls := f.calls()
		for _, name := range names {
			call, ok := calls[name]
			if !ok {
				continue // of a Compressor that the engine does not have
			}
			if err := call(t.Context()); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
	t.Run("not loaded", func(t *testing.T) {
		f := unloaded(t, open, m, 1, 2, 4)
		check(t, f, engine.ErrNotLoaded, "Params", "Loss", "RowLosses", "Accumulate", "Step", "Try", "Begin of steps", "TrySent")
		check(t, f, nil, "Gradient", "ClearGradient", "Moments", "Restore", "Begin", "Compress", "Buffer", "SetBuffer")
	})
	t.Run("a trial step stands", func(t *testing.T) {
		f := newFixture(t, open, m, 1, 2, 4)
		undo := f.try(t, small)
		check(t, f, engine.ErrTrial, "Load", "Accumulate", "ClearGradient", "Step", "Try", "TrySent", "Begin", "Begin of steps", "Compress")
		check(t, f, nil, "Params", "Loss", "RowLosses", "Gradient", "Moments", "Buffer", "SetBuffer")
		undo()
		undo()
		sameFloats(t, f.now(t), f.params)
		check(t, f, nil, "Accumulate", "Step", "Load")
	})
	t.Run("closed", func(t *testing.T) {
		f := newFixture(t, open, m, 2, 2, 4)
		lent := slices.Clone(f.params)
		if err := f.Load(t.Context(), lent); err != nil {
			t.Fatal(err)
		}
		undo := f.try(t, small)
		for i := range 2 {
			if err := f.Close(); err != nil {
				t.Errorf("Close number %d: %v", i+1, err)
			}
		}
		undo()
		sameFloats(t, lent, f.params) // Close has undone the step
		for name := range f.calls() {
			check(t, f, engine.ErrClosed, name)
		}
	})
}

// cancelled calls everything with a context that has ended: nothing changes.
func cancelled(t *testing.T, open New) {
	f := newFixture(t, open, Models()["plain"], 1, 2, 4)
	grads, _ := f.gradient(t, part{f.batch, 1})
	f.step(t, settings)
	params, moments := f.now(t), keep(f.moments(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range f.calls() {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sameFloats(t, f.now(t), params)
	sameFloats(t, f.read(t), grads)
	if m := f.moments(t); m.Steps != moments.Steps {
		t.Errorf("%d steps, want %d", m.Steps, moments.Steps)
	}
	f.loss(t, f.batch)
}
