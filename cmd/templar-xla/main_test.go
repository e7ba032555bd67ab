package main

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/engine/device"
	"templar/internal/model"
	"templar/method/dctsign"
	"templar/method/methodtest"
	"templar/method/sparseloco"
	"templar/protocol"
)

// TestMain makes the test binary the engine program, when it is started as that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "probe") {
		main()
		return
	}
	os.Exit(m.Run())
}

// plugin is the spec of the plug-in that the environment names, with this test binary as the engine
// program.
func plugin(t *testing.T, name string) device.Spec {
	t.Helper()
	path := os.Getenv(device.PluginVariable)
	if path == "" {
		t.Skipf("%s is not set: `testkit/pjrt/install DIR` prints the path of a CPU plug-in", device.PluginVariable)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(device.ProgramVariable, self)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s, err := device.Parse(name + path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProbe(t *testing.T) {
	i, err := device.Probe(t.Context(), plugin(t, "plugin:"))
	if err != nil || i.Platform != "cpu" || len(i.Devices) == 0 || i.StableHLO == "" {
		t.Errorf("%+v, %v", i, err)
	}
	gpu := device.Spec{Name: device.CUDA, Path: os.Getenv(device.PluginVariable)}
	if i, err := device.Probe(t.Context(), gpu); err == nil || !strings.Contains(err.Error(), "no plug-in of GPUs") {
		t.Errorf("the processor is a GPU: %+v, %v", i, err)
	}
	s, err := device.Parse("plugin:" + os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if i, err := device.Probe(t.Context(), s); err == nil {
		t.Errorf("this program is a plug-in: %+v", i)
	}
}

// The engine in its own process, with one device and with all of the plug-in, computes what engine/cpu does.
func TestEngine(t *testing.T) {
	m := protocol.Model{
		VocabSize: 64, HiddenSize: 32, Layers: 1, Heads: 4, KVHeads: 2, IntermediateSize: 64,
		MaxPositions: 32, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b := engine.Batch{Rows: 4, Cols: 16}
	for range b.Rows * b.Cols {
		b.Inputs, b.Targets = append(b.Inputs, rng.Int32N(64)), append(b.Targets, rng.Int32N(64))
	}
	compute := func(e engine.Engine) (float64, []float32) {
		t.Helper()
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
		return l.Mean(), slices.Clone(g)
	}
	ref, err := cpu.New(m, cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	wantLoss, want := compute(ref)
	for _, name := range []string{"plugin:", "plugin:all:"} {
		e, err := device.Start(plugin(t, name), m, device.Options{Rows: b.Rows, Cols: b.Cols, Train: true})
		if err != nil {
			t.Fatal(err)
		}
		loss, got := compute(e)
		var apart, norm float64
		for i := range want {
			apart += math.Pow(float64(got[i]-want[i]), 2)
			norm += math.Pow(float64(want[i]), 2)
		}
		if math.Abs(loss-wantLoss) > 1e-5*wantLoss || math.Sqrt(apart/norm) > 1e-5 {
			t.Errorf("%s: loss %g, want %g; gradients %g apart", name, loss, wantLoss, math.Sqrt(apart/norm))
		}
		if engine.Kind(e) != "xla-cpu float32" {
			t.Errorf("kind %q", engine.Kind(e))
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Both methods compress on the device what they compress on the host, with one device and with all.
func TestCompression(t *testing.T) {
	p, err := protocol.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	p.Model = protocol.Model{
		VocabSize: 64, HiddenSize: 32, Layers: 1, Heads: 4, KVHeads: 2, IntermediateSize: 64,
		MaxPositions: 32, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
	}
	signs, loco := p, p
	signs.Method = p.Method.With("target_chunk", 16).With("topk_compression", 16).With("momentum_warmup", 2)
	loco.Method = locoMethod(t).With("target_chunk", 16).With("topk", 16)
	for _, devices := range []string{"plugin:", "plugin:all:"} {
		spec := plugin(t, devices)
		open := func(m protocol.Model) (engine.Engine, error) { return device.Start(spec, m, device.Options{}) }
		t.Run(devices+"dctsign", methodtest.Suite{Factory: dctsign.New, Params: signs, Engine: open}.Device)
		t.Run(devices+"sparseloco", methodtest.Suite{Factory: sparseloco.New, Params: loco, Engine: open}.Device)
	}
}

func locoMethod(t *testing.T) protocol.Method {
	p, err := protocol.Preset("tiny-loco")
	if err != nil {
		t.Fatal(err)
	}
	return p.Method
}
