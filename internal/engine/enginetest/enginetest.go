// Package enginetest is the conformance suite of the engine port.
package enginetest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/protocol"
)

// New makes an engine for a model that computes with so many threads.
type New func(model protocol.Model, threads int) (engine.Engine, error)

// Run checks everything that the port promises.
func Run(t *testing.T, open New) {
	for name, m := range Models() {
		t.Run(name, func(t *testing.T) {
			t.Run("finite differences", func(t *testing.T) { finiteDifferences(t, open, m) })
			t.Run("same bits for any threads", func(t *testing.T) { sameBits(t, open, m) })
			t.Run("gradient adds and scales", func(t *testing.T) { addsAndScales(t, open, m) })
			t.Run("batches add up", func(t *testing.T) { batchesAddUp(t, open, m) })
			t.Run("ignored targets", func(t *testing.T) { ignored(t, open, m) })
			t.Run("row losses", func(t *testing.T) { rowLosses(t, open, m) })
			t.Run("causal", func(t *testing.T) { causal(t, open, m) })
			t.Run("adamw", func(t *testing.T) { optimizes(t, open, m) })
			t.Run("trial steps", func(t *testing.T) { trials(t, open, m) })
			t.Run("state", func(t *testing.T) { state(t, open, m) })
			t.Run("compression", func(t *testing.T) { compresses(t, open, m) })
		})
	}
	t.Run("refusals", func(t *testing.T) { refusals(t, open) })
	t.Run("order of calls", func(t *testing.T) { order(t, open) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, open) })
	t.Run("side by side", func(t *testing.T) { sideBySide(t, open) })
}

// Models are small configurations that differ in what engines get wrong.
func Models() map[string]protocol.Model {
	base := protocol.Model{
		VocabSize: 23, HiddenSize: 16, Layers: 2, Heads: 4, KVHeads: 4, IntermediateSize: 24,
		MaxPositions: 80, RopeTheta: 10000, NormEps: 1e-5, InitStd: 0.3,
	}
	grouped, tied, odd := base, base, base
	grouped.KVHeads = 2
	tied.TieEmbeddings, tied.KVHeads, tied.Layers = true, 1, 1
	odd.HiddenSize, odd.Heads, odd.KVHeads, odd.IntermediateSize, odd.VocabSize, odd.Layers = 42, 7, 7, 35, 37, 3
	return map[string]protocol.Model{"plain": base, "grouped": grouped, "tied": tied, "odd": odd}
}

// fixture is an engine with parameters and a batch.
type fixture struct {
	engine.Engine
	params []float32 // as drawn: the engine was given a copy
	batch  engine.Batch
}

func newFixture(t *testing.T, open New, m protocol.Model, threads, rows, cols int) fixture {
	t.Helper()
	f := unloaded(t, open, m, threads, rows, cols)
	f.load(t, f.params)
	return f
}

// unloaded is a fixture whose engine has no parameters yet.
func unloaded(t *testing.T, open New, m protocol.Model, threads, rows, cols int) fixture {
	t.Helper()
	e, err := open(m, threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	rng := rand.New(rand.NewPCG(1, 2))
	params := make([]float32, e.Layout().Size())
	for _, tensor := range e.Layout() {
		for i := range tensor.Size() {
			v := float32(rng.NormFloat64() * m.InitStd)
			if len(tensor.Shape) == 1 {
				v = 1 + v/3
			}
			params[tensor.Offset+i] = v
		}
	}
	return fixture{e, params, batch(rng, m, rows, cols)}
}

func batch(rng *rand.Rand, m protocol.Model, rows, cols int) engine.Batch {
	b := engine.Batch{Rows: rows, Cols: cols}
	for range rows * cols {
		b.Inputs = append(b.Inputs, rng.Int32N(int32(m.VocabSize)))
		b.Targets = append(b.Targets, rng.Int32N(int32(m.VocabSize)))
	}
	return b
}

// load lends the engine a copy of params.
func (f fixture) load(t *testing.T, params []float32) {
	t.Helper()
	if err := f.Load(t.Context(), slices.Clone(params)); err != nil {
		t.Fatal(err)
	}
}

// part is a batch and the scale of its gradient.
type part struct {
	batch engine.Batch
	scale float32
}

// gradient accumulates parts from zero on and returns a copy of the gradient, and their loss.
func (f fixture) gradient(t *testing.T, parts ...part) (grads []float32, sum engine.Loss) {
	t.Helper()
	if err := f.ClearGradient(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		l, err := f.Accumulate(t.Context(), p.batch, p.scale)
		if err != nil {
			t.Fatal(err)
		}
		sum.Add(l)
	}
	return f.read(t), sum
}

// read returns a copy of the gradient.
func (f fixture) read(t *testing.T) []float32 {
	t.Helper()
	g, err := f.Gradient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(g)
}

// now returns a copy of the parameters.
func (f fixture) now(t *testing.T) []float32 {
	t.Helper()
	out := make([]float32, len(f.params))
	if err := f.Params(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (f fixture) loss(t *testing.T, b engine.Batch) engine.Loss {
	t.Helper()
	l, err := f.Loss(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// finiteDifferences moves each tensor along its own gradient, where the central
// difference of the loss is largest against rounding, and along random signs.
func finiteDifferences(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 1, 2, 7)
	f.batch.Targets[3] = engine.Ignore
	grads, _ := f.gradient(t, part{f.batch, 1})
	rng := rand.New(rand.NewPCG(3, 4))
	for _, tensor := range f.Layout() {
		g := grads[tensor.Offset:][:tensor.Size()]
		norm := math.Sqrt(dot(g, g))
		if norm == 0 {
			t.Fatalf("%s has no gradient", tensor.Name)
		}
		along, signs := make([]float32, len(g)), make([]float32, len(g))
		for i := range g {
			along[i] = float32(float64(g[i]) / norm)
			signs[i] = float32(1-2*rng.IntN(2)) / float32(math.Sqrt(float64(len(g))))
		}
		f.difference(t, tensor, along, dot(g, along), norm)
		f.difference(t, tensor, signs, dot(g, signs), norm)
	}
}

// difference compares the slope along a unit direction with the gradient's. The
// central difference at two widths gives its own error (Richardson).
func (f fixture) difference(t *testing.T, tensor protocol.Tensor, direction []float32, want, norm float64) {
	t.Helper()
	slope := func(h float64) float64 {
		var l [2]float64
		for side, sign := range []float64{1, -1} {
			p := slices.Clone(f.params)
			for i, d := range direction {
				p[tensor.Offset+i] += float32(sign * h * float64(d))
			}
			f.load(t, p)
			l[side] = f.loss(t, f.batch).Sum
		}
		return (l[0] - l[1]) / (2 * h)
	}
	const h = 1e-2
	got := (4*slope(h/2) - slope(h)) / 3
	if math.Abs(got-want) > 3e-3*norm+3e-3 {
		t.Errorf("%s: loss rises by %g along a direction, the gradient says %g (norm %g)", tensor.Name, got, want, norm)
	}
}

func dot(x, y []float32) (sum float64) {
	for i := range x {
		sum += float64(x[i]) * float64(y[i])
	}
	return sum
}

// sameBits computes with other numbers of threads, again, and after another shape. Accumulate and
// Loss need not agree in the last place: a compiler may order their sums differently.
func sameBits(t *testing.T, open New, m protocol.Model) {
	var want []float32
	var wantLoss, forward engine.Loss
	for _, threads := range []int{1, 2, 3, 5} {
		f := newFixture(t, open, m, threads, 3, 41)
		for range 2 {
			grads, loss := f.gradient(t, part{f.batch, 0.25})
			alone := f.loss(t, f.batch)
			if want == nil {
				want, wantLoss, forward = grads, loss, alone
			}
			if loss != wantLoss || alone != forward {
				t.Fatalf("%d threads: losses %v and %v, want %v and %v", threads, loss, alone, wantLoss, forward)
			}
			if alone.Tokens != loss.Tokens || math.Abs(alone.Sum-loss.Sum) > 1e-6*loss.Sum {
				t.Fatalf("the loss is %v, and %v with a gradient", alone, loss)
			}
			sameFloats(t, grads, want)
			f.gradient(t, part{batch(rand.New(rand.NewPCG(8, 8)), m, 1, 80), 1})
			f.gradient(t, part{batch(rand.New(rand.NewPCG(8, 8)), m, 5, 40), 1})
		}
	}
}

func sameFloats(t *testing.T, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func addsAndScales(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 2, 2, 9)
	once, _ := f.gradient(t, part{f.batch, 1})
	twice, _ := f.gradient(t, part{f.batch, 0.5}, part{f.batch, 1.5})
	for i := range once {
		once[i] *= 2
	}
	near(t, twice, once)
}

func batchesAddUp(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 2, 4, 9)
	whole, want := f.gradient(t, part{f.batch, 1})
	var rows []part
	for _, r := range [][2]int{{0, 1}, {1, 4}} {
		rows = append(rows, part{f.batch.Part(r[0], r[1]-r[0]), 1})
	}
	parts, got := f.gradient(t, rows...)
	if got.Tokens != want.Tokens || math.Abs(got.Sum-want.Sum) > 1e-5*want.Sum {
		t.Errorf("parts lose %v, the whole %v", got, want)
	}
	near(t, parts, whole)
}

// near demands a relative distance of the vectors below rounding of float32 sums.
func near(t *testing.T, got, want []float32) {
	t.Helper()
	var apart float64
	for i := range want {
		apart += math.Pow(float64(got[i]-want[i]), 2)
	}
	if d := math.Sqrt(apart / dot(want, want)); !(d < 1e-5) {
		t.Errorf("gradients differ by %g of their norm", d)
	}
}

// ignored pads a batch: the padding may not change the loss or the gradient.
func ignored(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 1, 1, 8)
	padded := engine.Batch{Rows: 1, Cols: 12, Inputs: append(slices.Clone(f.batch.Inputs), 1, 1, 1, 1), Targets: slices.Clone(f.batch.Targets)}
	for range 4 {
		padded.Targets = append(padded.Targets, engine.Ignore)
	}
	want, a := f.gradient(t, part{f.batch, 1})
	got, b := f.gradient(t, part{padded, 1})
	if b.Tokens != 8 || math.Abs(a.Sum-b.Sum) > 1e-5*a.Sum {
		t.Errorf("padding makes the loss %v, want %v", b, a)
	}
	near(t, got, want)
	for i := range padded.Targets {
		padded.Targets[i] = engine.Ignore
	}
	got, l := f.gradient(t, part{padded, 1})
	if l != (engine.Loss{}) {
		t.Errorf("a batch of padding loses %v", l)
	}
	sameFloats(t, got, make([]float32, len(got)))
}

// rowLosses compares the losses of rows with those of batches that hold one row each: of rows
// without a target, with the same inputs as others, and with padding.
func rowLosses(t *testing.T, open New, m protocol.Model) {
	const rows, cols = 7, 19
	f := newFixture(t, open, m, 3, rows, cols)
	for _, r := range []int{2, 3, 6} {
		copy(f.batch.Inputs[r*cols:(r+1)*cols], f.batch.Inputs[(r-1)*cols:])
	}
	for i := range f.batch.Targets {
		if r, c := i/cols, i%cols; c < 2*r || r == 4 {
			f.batch.Targets[i] = engine.Ignore
		}
	}
	got, err := f.RowLosses(t.Context(), f.batch)
	if err != nil || len(got) != rows {
		t.Fatalf("%d losses for %d rows, %v", len(got), rows, err)
	}
	var sum engine.Loss
	for r, l := range got {
		if want := f.loss(t, f.batch.Part(r, 1)); l.Tokens != want.Tokens || math.Abs(l.Sum-want.Sum) > 1e-5*want.Sum {
			t.Errorf("row %d loses %v, alone %v", r, l, want)
		}
		sum.Add(l)
	}
	if whole := f.loss(t, f.batch); sum.Tokens != whole.Tokens || math.Abs(sum.Sum-whole.Sum) > 1e-5*whole.Sum {
		t.Errorf("rows lose %v, the batch %v", sum, whole)
	}
	if again, err := f.RowLosses(t.Context(), f.batch); err != nil || !slices.Equal(again, got) {
		t.Errorf("again %v, first %v, %v", again, got, err)
	}
}

// causal changes the last token: the losses before it may not change.
func causal(t *testing.T, open New, m protocol.Model) {
	f := newFixture(t, open, m, 1, 1, 40)
	for i := 30; i < 40; i++ {
		f.batch.Targets[i] = engine.Ignore
	}
	before := f.loss(t, f.batch)
	f.batch.Inputs[30] = (f.batch.Inputs[30] + 1) % int32(m.VocabSize)
	if after := f.loss(t, f.batch); after != before {
		t.Errorf("a later token changes the loss from %v to %v", before, after)
	}
}

func longBatch(m protocol.Model) engine.Batch {
	return batch(rand.New(rand.NewPCG(1, 1)), m, 1, m.MaxPositions+1)
}
