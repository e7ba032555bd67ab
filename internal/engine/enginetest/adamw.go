package enginetest

import (
	"errors"
	"math"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/protocol"
)

var settings = engine.AdamW{LearningRate: 3e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1}

func (f fixture) step(t *testing.T, o engine.AdamW) float64 {
	t.Helper()
	norm, err := f.Step(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return norm
}

func (f fixture) moments(t *testing.T) engine.Moments {
	t.Helper()
	m, err := f.Moments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// keep copies moments, as a checkpoint does.
func keep(m engine.Moments) engine.Moments {
	m.Tensors = slices.Clone(m.Tensors)
	for i := range m.Tensors {
		m.Tensors[i].Values = slices.Clone(m.Tensors[i].Values)
	}
	return m
}

// optimizes takes local steps.
func optimizes(t *testing.T, open New, m protocol.Model) {
	for name, o := range map[string]engine.AdamW{
		"plain":    settings,
		"clipped":  with(func(o *engine.AdamW) { o.MaxNorm = 0.5 }),
		"far":      with(func(o *engine.AdamW) { o.MaxNorm = 1e6 }),
		"no decay": with(func(o *engine.AdamW) { o.WeightDecay = 0 }),
		"no betas": with(func(o *engine.AdamW) { o.Beta1, o.Beta2, o.Eps = 0, 0, 1e-3 }),
		"no rate":  with(func(o *engine.AdamW) { o.LearningRate = 0 }),
	} {
		t.Run(name, func(t *testing.T) { reference(t, open, m, o) })
	}
	t.Run("same bits for any threads", func(t *testing.T) { sameSteps(t, open, m) })
	t.Run("restored", func(t *testing.T) { restored(t, open, m) })
	t.Run("not finite", func(t *testing.T) { notFinite(t, open, m) })
}

func with(change func(*engine.AdamW)) engine.AdamW {
	o := settings
	change(&o)
	return o
}

// adam is the definition of the step in float64 (engine.AdamW).
type adam struct {
	p, m, v []float64
	t       float64
}

func (a *adam) step(g []float32, o engine.AdamW) (norm float64) {
	norm = math.Sqrt(dot(g, g))
	clip := 1.0
	if o.MaxNorm > 0 {
		clip = min(1, o.MaxNorm/(norm+1e-6))
	}
	a.t++
	for i := range a.p {
		grad := clip * float64(g[i])
		a.p[i] *= 1 - o.LearningRate*o.WeightDecay
		a.m[i] = o.Beta1*a.m[i] + (1-o.Beta1)*grad
		a.v[i] = o.Beta2*a.v[i] + (1-o.Beta2)*grad*grad
		m, v := a.m[i]/(1-math.Pow(o.Beta1, a.t)), a.v[i]/(1-math.Pow(o.Beta2, a.t))
		a.p[i] -= o.LearningRate * m / (math.Sqrt(v) + o.Eps)
	}
	return norm
}

// reference compares steps with their definition. The learning rate changes from step to step.
func reference(t *testing.T, open New, m protocol.Model, o engine.AdamW) {
	f := newFixture(t, open, m, 2, 2, 9)
	n := len(f.params)
	want := adam{p: make([]float64, n), m: make([]float64, n), v: make([]float64, n)}
	for i, p := range f.params {
		want.p[i] = float64(p)
	}
	for range 5 {
		g, _ := f.gradient(t, part{f.batch, 0.125})
		got := f.step(t, o)
		if norm := want.step(g, o); math.Abs(got-norm) > 1e-5*norm {
			t.Errorf("the norm is %g, want %g", got, norm)
		}
		sameFloats(t, f.read(t), g) // left as it was
		o.LearningRate *= 0.75
	}
	moments := f.moments(t)
	if err := moments.Check(n); err != nil || moments.Steps != 5 {
		t.Fatalf("%d steps, %v", moments.Steps, err)
	}
	scale := settings.LearningRate // of what the steps move
	for i, p := range f.now(t) {
		if math.Abs(float64(p)-want.p[i]) > 1e-4*scale+1e-6*math.Abs(want.p[i]) {
			t.Fatalf("parameter %d is %g, want %g", i, p, want.p[i])
		}
	}
	for k, want := range [][]float64{want.m, want.v} {
		for i, v := range moments.Tensors[k].Values {
			if math.Abs(float64(v)-want[i]) > 1e-5*math.Abs(want[i])+1e-7 {
				t.Fatalf("%s %d is %g, want %g", moments.Tensors[k].Name, i, v, want[i])
			}
		}
	}
}

// sameSteps takes steps with other numbers of threads.
func sameSteps(t *testing.T, open New, m protocol.Model) {
	m.VocabSize *= 60 // so that there is work for several threads
	var want [3][]float32
	var wantNorm float64
	for _, threads := range []int{1, 2, 5} {
		f := newFixture(t, open, m, threads, 1, 9)
		var norm float64
		for range 2 {
			f.gradient(t, part{f.batch, 1})
			norm = f.step(t, with(func(o *engine.AdamW) { o.MaxNorm = 1 }))
		}
		moments := f.moments(t)
		got := [3][]float32{f.now(t), moments.Tensors[0].Values, moments.Tensors[1].Values}
		if want[0] == nil {
			want, wantNorm = got, norm
		}
		if norm != wantNorm {
			t.Errorf("%d threads: norm %v, want %v", threads, norm, wantNorm)
		}
		for k := range want {
			sameFloats(t, got[k], want[k])
		}
	}
}

// restored goes on in another engine, from what was read back, and from nothing.
func restored(t *testing.T, open New, m protocol.Model) {
	f, g := newFixture(t, open, m, 1, 2, 9), newFixture(t, open, m, 2, 2, 9)
	advance := func(f fixture) { f.gradient(t, part{f.batch, 1}); f.step(t, settings) }
	if m := f.moments(t); m.Steps != 0 || len(m.Tensors) != 0 {
		t.Errorf("%d steps and %d tensors before the first step", m.Steps, len(m.Tensors))
	}
	advance(f)
	first := f.now(t)
	advance(f)
	params, moments := f.now(t), keep(f.moments(t))
	advance(f)
	advance(g) // overwritten below
	g.load(t, params)
	if err := g.Restore(t.Context(), keep(moments)); err != nil {
		t.Fatal(err)
	}
	advance(g)
	sameFloats(t, g.now(t), f.now(t))
	g.load(t, f.params)
	if err := g.Restore(t.Context(), engine.Moments{}); err != nil {
		t.Fatal(err)
	}
	advance(g)
	sameFloats(t, g.now(t), first)
	for name, spoil := range map[string]func(*engine.Moments){
		"another order":   func(m *engine.Moments) { slices.Reverse(m.Tensors) },
		"one tensor":      func(m *engine.Moments) { m.Tensors = m.Tensors[:1] },
		"too short":       func(m *engine.Moments) { m.Tensors[1].Values = m.Tensors[1].Values[1:] },
		"no steps":        func(m *engine.Moments) { m.Steps = 0 },
		"no tensors":      func(m *engine.Moments) { m.Tensors = nil },
		"not a number":    func(m *engine.Moments) { m.Tensors[0].Values[7] = float32(math.NaN()) },
		"negative square": func(m *engine.Moments) { m.Tensors[1].Values[7] = -1 },
	} {
		bad := keep(moments)
		spoil(&bad)
		if err := g.Restore(t.Context(), bad); err == nil {
			t.Errorf("moments with %s are restored", name)
		}
	}
	if m := g.moments(t); m.Steps != 1 {
		t.Errorf("%d steps after refused moments, want 1", m.Steps)
	}
}

// notFinite makes the gradient NaN or infinite: nothing may move.
func notFinite(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 1, 2, 9)
	for _, scale := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		f.gradient(t, part{f.batch, scale})
		if _, err := f.Step(t.Context(), settings); !errors.Is(err, engine.ErrNotFinite) {
			t.Errorf("a gradient times %g: %v", scale, err)
		}
	}
	sameFloats(t, f.now(t), f.params)
	if m := f.moments(t); m.Steps != 0 {
		t.Errorf("%d steps", m.Steps)
	}
	f.gradient(t, part{f.batch, 1}) // cleared
	f.step(t, settings)
	for _, o := range []engine.AdamW{
		with(func(o *engine.AdamW) { o.LearningRate = -1 }), with(func(o *engine.AdamW) { o.LearningRate = math.Inf(1) }),
		with(func(o *engine.AdamW) { o.Beta1 = 1 }), with(func(o *engine.AdamW) { o.Beta2 = -0.1 }),
		with(func(o *engine.AdamW) { o.Eps = math.NaN() }), with(func(o *engine.AdamW) { o.Eps = 0 }), with(func(o *engine.AdamW) { o.WeightDecay = 1000 }),
		with(func(o *engine.AdamW) { o.MaxNorm = -1 }),
	} {
		if _, err := f.Step(t.Context(), o); err == nil {
			t.Errorf("a step with %+v is taken", o)
		}
	}
}
