package xla_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/engine/enginetest"
	"templar/internal/engine/xla"
	"templar/internal/model"
	"templar/protocol"
)

const variable = "TEMPLAR_PJRT_PLUGIN"

// one opens the first device of the plug-in that the environment names; it lives as long as the tests.
var one = sync.OnceValues(func() (*xla.Device, error) {
	return xla.Open(xla.Options{Plugin: os.Getenv(variable), Quick: true, Visible: -1})
})

func device(t testing.TB) *xla.Device {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set: `testkit/pjrt/install DIR` prints the path of a CPU plug-in", variable)
	}
	d, err := one()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConformance(t *testing.T) {
	d := device(t)
	enginetest.Run(t, func(m protocol.Model, _ int) (engine.Engine, error) {
		e, err := d.New(m, xla.Settings{})
		if err != nil {
			return nil, err
		}
		return e, nil
	})
}

// small has two layers and grouped heads.
func small() protocol.Model {
	return protocol.Model{
		VocabSize: 256, HiddenSize: 64, Layers: 2, Heads: 4, KVHeads: 2, IntermediateSize: 160,
		MaxPositions: 256, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
	}
}

func batch(m protocol.Model, seed uint64, rows, cols int) engine.Batch {
	rng := rand.New(rand.NewPCG(1, seed))
	b := engine.Batch{Rows: rows, Cols: cols}
	for range rows * cols {
		b.Inputs = append(b.Inputs, rng.Int32N(int32(m.VocabSize)))
		b.Targets = append(b.Targets, rng.Int32N(int32(m.VocabSize)))
	}
	return b
}

// apart is the distance of two vectors over the norm of the second.
func apart(got, want []float32) float64 {
	var d, n float64
	for i := range want {
		d += math.Pow(float64(got[i])-float64(want[i]), 2)
		n += math.Pow(float64(want[i]), 2)
	}
	return math.Sqrt(d / n)
}

// run takes ten local steps of two batches each. It returns the losses, the gradient before
// each step, and the parameters at the end.
func run(t *testing.T, e engine.Engine, m protocol.Model) (losses []float64, grads [][]float32, params []float32) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(e.Load(ctx, model.Init(m, 1)))
	o := engine.AdamW{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, MaxNorm: 1}
	for step := range uint64(10) {
		must(e.ClearGradient(ctx))
		for half := range uint64(2) {
			b := batch(m, 2*step+half, 3, 48)
			l, err := e.Accumulate(ctx, b, 1/float32(2*len(b.Targets)))
			must(err)
			losses = append(losses, l.Mean())
		}
		g, err := e.Gradient(ctx)
		must(err)
		grads = append(grads, append([]float32(nil), g...))
		_, err = e.Step(ctx, o)
		must(err)
	}
	params = make([]float32, len(grads[0]))
	must(e.Params(ctx, params))
	return losses, grads, params
}

// compare holds ten steps of an engine against those of engine/cpu.
func compare(t *testing.T, m protocol.Model, e engine.Engine, lossTolerance, gradientTolerance float64) {
	t.Helper()
	ref, err := cpu.New(m, cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	wantLosses, wantGrads, wantParams := run(t, ref, m)
	losses, grads, params := run(t, e, m)
	var worstLoss, worstGradient float64
	for i := range losses {
		worstLoss = max(worstLoss, math.Abs(losses[i]-wantLosses[i])/wantLosses[i])
	}
	for i := range grads {
		worstGradient = max(worstGradient, apart(grads[i], wantGrads[i]))
	}
	t.Logf("of ten steps, losses %.2g and gradients %.2g apart at most, parameters %.2g at the end", worstLoss, worstGradient, apart(params, wantParams))
	if !(worstLoss <= lossTolerance) || !(worstGradient <= gradientTolerance) {
		t.Errorf("losses are %g and gradients %g apart, want %g and %g at most", worstLoss, worstGradient, lossTolerance, gradientTolerance)
	}
}

func TestAgainstCPU(t *testing.T) {
	d := device(t)
	for name, c := range map[string]struct {
		set            xla.Settings
		loss, gradient float64
	}{
		"float32":      {xla.Settings{}, 1e-5, 1e-5},
		"recomputed":   {xla.Settings{Recompute: true}, 1e-5, 1e-5},
		"row by row":   {xla.Settings{Rows: 1}, 1e-5, 1e-5},
		"head by part": {xla.Settings{HeadCols: 20}, 1e-5, 1e-5},
		"bf16":         {xla.Settings{Precision: "bf16"}, 1e-3, 3e-2},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := d.New(small(), c.set)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			compare(t, small(), e, c.loss, c.gradient)
		})
	}
}

// All four devices of the CPU plug-in compute what one does: rows and parameters are divided among them.
func TestSharded(t *testing.T) {
	device(t)
	d, err := xla.Open(xla.Options{Plugin: os.Getenv(variable), Quick: true, Visible: -1, Count: xla.All})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if n := len(d.Info().Devices); n < 2 {
		t.Skipf("the plug-in has %d device", n)
	}
	m := small()
	m.VocabSize = 258 // the embeddings cannot be divided
	e, err := d.New(m, xla.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	compare(t, m, e, 1e-5, 1e-5)
}

// A second process would load from the cache what the first compiled, and get the same bits.
func TestCachedPrograms(t *testing.T) {
	device(t)
	dir, m := t.TempDir(), small()
	b := batch(m, 1, 2, 16)
	var want engine.Loss
	for i := range 2 {
		d, said := logged(t, dir)
		e, err := d.New(m, xla.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(t.Context(), model.Init(m, 1)); err != nil {
			t.Fatal(err)
		}
		l, err := e.Loss(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = l
		} else if l != want || strings.Contains(said.String(), "compiling") || !strings.Contains(said.String(), "from the cache") {
			t.Errorf("loss %v, want %v; the log says %q", l, want, said)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A batch of fewer rows than one before is padded: nothing is compiled for it, and it has the same loss and
// gradient as with a program of its own.
func TestFewerRows(t *testing.T) {
	device(t)
	d, said := logged(t, "")
	m := small()
	m.Layers = 1
	full := batch(m, 1, 4, 16)
	var losses []engine.Loss
	var grads [][]float32
	for _, rows := range []int{4, 1} {
		e, err := d.New(m, xla.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.Prepare(rows, full.Cols, true); err != nil {
			t.Fatal(err)
		}
		if err := e.Load(t.Context(), model.Init(m, 1)); err != nil {
			t.Fatal(err)
		}
		said.Reset()
		l, err := e.Accumulate(t.Context(), full.Part(2, 1), 1)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(said.String(), "gradient") {
			t.Errorf("prepared for %d rows, for one more is done: %s", rows, said)
		}
		g, err := e.Gradient(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		losses, grads = append(losses, l), append(grads, g)
	}
	if losses[0].Tokens != losses[1].Tokens || math.Abs(losses[0].Sum-losses[1].Sum) > 1e-5*losses[1].Sum || apart(grads[0], grads[1]) > 1e-5 {
		t.Errorf("losses %v, gradients %g apart", losses, apart(grads[0], grads[1]))
	}
}

// logged opens a device that says what it does.
func logged(t *testing.T, cache string) (*xla.Device, *strings.Builder) {
	t.Helper()
	said := new(strings.Builder)
	d, err := xla.Open(xla.Options{
		Plugin: os.Getenv(variable), Quick: true, Visible: -1, Cache: cache,
		Log: func(format string, args ...any) { fmt.Fprintf(said, format+"\n", args...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, said
}

// A step that does not fit is computed in parts of fewer rows and again from kept inputs, and what does not fit at all is
// an error that says what to do.
func TestMemoryBound(t *testing.T) {
	device(t)
	d, said := logged(t, "")
	m := small()
	m.Layers = 1
	b := batch(m, 1, 8, 64)
	var losses []engine.Loss
	var grads [][]float32
	for _, memory := range []int64{0, 2 << 20} {
		e, err := d.New(m, xla.Settings{Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.Load(t.Context(), model.Init(m, 1)); err != nil {
			t.Fatal(err)
		}
		l, err := e.Accumulate(t.Context(), b, 1)
		if err != nil {
			t.Fatal(err)
		}
		g, err := e.Gradient(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		losses, grads = append(losses, l), append(grads, g)
	}
	if d := apart(grads[1], grads[0]); !(d < 1e-5) || losses[0].Tokens != losses[1].Tokens || math.Abs(losses[0].Sum-losses[1].Sum) > 1e-5*losses[0].Sum {
		t.Errorf("losses %v, gradients %g apart", losses, d)
	}
	if !strings.Contains(said.String(), "by 8 rows, recomputation false") || !strings.Contains(said.String(), "by 2 rows") {
		t.Errorf("the plans are\n%s", said)
	}
	e, err := d.New(m, xla.Settings{Memory: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Load(t.Context(), model.Init(m, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Accumulate(t.Context(), b, 1); err == nil || !strings.Contains(err.Error(), "MiB are free") {
		t.Errorf("a step in 1 KiB: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := xla.Open(xla.Options{Plugin: "no-such-file.so"}); err == nil {
		t.Error("a plug-in that is not there is opened")
	}
	d := device(t)
	for _, s := range []xla.Settings{{Precision: "fp8"}, {Memory: -1}, {Rows: -1}} {
		if _, err := d.New(small(), s); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
	if _, err := xla.Open(xla.Options{Plugin: os.Getenv(variable), Visible: -1, Count: 99}); err == nil {
		t.Error("99 devices are found")
	}
	if i := d.Info(); i.Platform != "cpu" || len(i.Devices) != 1 || i.StableHLO == "" || i.Devices[0].Kind == "" {
		t.Errorf("info %+v", i)
	}
}
