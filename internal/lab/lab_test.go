package lab

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"templar/internal/dashboard/collect"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

func env() Env {
	return Env{
		Build: "test", Methods: method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New},
		Engine: func(m protocol.Model) (engine.Engine, error) { return cpu.New(m, cpu.Options{Threads: 1}) },
	}
}

// small are the variants of testdata/small.yaml.
func small(t *testing.T) []Variant {
	t.Helper()
	all, err := ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func train(t *testing.T, v Variant, o Options) Trained {
	t.Helper()
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	trained, err := v.Train(t.Context(), env(), o)
	if err != nil {
		t.Fatal(err)
	}
	trained.Wall = 0
	return trained
}

func form(t *testing.T, r Trained) string {
	t.Helper()
	b, err := json.Marshal(r.Result)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The same variant and seed give the same bits, on one core and on several, with adversaries and with connections that
// take time; another seed gives others.
func TestSameBits(t *testing.T) {
	for _, v := range small(t) {
		if v.Baseline == nil {
			v.Machine, v.Machines = Machine{TokensPerSecond: 2000, UpMbit: 1}, map[string]Machine{"miner-1": {TokensPerSecond: 900, LatencyMS: 30}}
		}
		first := train(t, v, Options{Seed: 1, Threads: 1})
		if again := train(t, v, Options{Seed: 1, Threads: 3}); form(t, first) != form(t, again) || !slices.Equal(first.Model, again.Model) {
			t.Errorf("%s: one thread:\n%+v\nthree:\n%+v", v.Name, first.Result, again.Result)
		}
		if other := train(t, v, Options{Seed: 2, Threads: 2}); other.State == first.State || other.Points[0].Loss == first.Points[0].Loss {
			t.Errorf("%s: another seed gives the same state", v.Name)
		}
	}
}

// A network and the baselines begin with the same parameters, train on as many tokens, and learn.
func TestLearns(t *testing.T) {
	var results []Trained
	for _, v := range small(t) {
		v.Windows = 12
		results = append(results, train(t, v, Options{Seed: 3}))
	}
	for i, r := range results {
		first, last := r.Points[0], r.Last()
		if first.Loss != results[0].Points[0].Loss || first.Tokens != 0 || first.Window != 0 {
			t.Errorf("%s begins with %+v", r.Variant, first)
		}
		if last.Window != 12 || !(last.Loss < first.Loss-0.02) {
			t.Errorf("%s: %+v after %+v", r.Variant, last, first)
		}
		if cheated := r.Variant == "cheated"; !cheated && last.Tokens != 12*2*2*64 {
			t.Errorf("%s: %d tokens", r.Variant, last.Tokens)
		}
		if sends := r.Variant != "one"; sends != (last.Up > 0) || sends != (last.Down > 0) {
			t.Errorf("%s: %d bytes up, %d down", r.Variant, last.Up, last.Down)
		}
		if len(r.Report.Windows) == 0 || r.Report.FinalLoss != collect.Measure(last.Loss) || len(r.Model) != r.Report.Parameters {
			t.Errorf("%s: the report has %d windows and loss %v of %v", r.Variant, len(r.Report.Windows), r.Report.FinalLoss, last.Loss)
		}
		results[i] = r
	}
	pay := results[1].Pay
	if len(pay) != 3 || pay[2].Node != "noise-0" || pay[2].Honest || !pay[0].Honest {
		t.Errorf("pay %+v", pay)
	}
	if all := train(t, small(t)[3], Options{Seed: 3}); all.Last().Up != 4*4*int64(len(all.Model)) {
		t.Errorf("float32 gradients of four windows: %d bytes", all.Last().Up)
	}
}

// A miner's speed and connection decide whether its gradient is in the update.
func TestMachines(t *testing.T) {
	v := small(t)[0]
	v.Windows, v.Machine = 8, Machine{TokensPerSecond: 256} // half a second of a window of 1.3 s
	included := func(r Trained) (all, slow int) {
		for _, w := range r.Report.Windows {
			all += len(w.Gathered)
			if slices.Contains(w.Gathered, 2) {
				slow++
			}
		}
		return all, slow
	}
	usual := train(t, v, Options{Seed: 1})
	if all, slow := included(usual); all != 16 || slow != 8 {
		t.Errorf("%d gradients, %d of miner-1", all, slow)
	}
	if want := 126 / 256.0 / 1.3; math.Abs(float64(usual.Utilise)-want) > 0.05 {
		t.Errorf("utilisation %v, want %.3f", usual.Utilise, want)
	}
	for _, w := range usual.Report.Windows[1:] {
		if busy := w.MinerUtilisation["miner-0"]; !(busy > 0.05 && busy < 0.6) {
			t.Errorf("window %d: miner-0 is busy for %v of the time", w.Window, busy)
		}
	}
	v.Machines = map[string]Machine{"miner-1": {UpMbit: 0.002}} // 250 bytes a second
	if _, slow := included(train(t, v, Options{Seed: 1})); slow != 0 {
		t.Errorf("%d gradients over a connection that is too slow", slow)
	}
}

func TestReadFile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"one.yaml":      {"miners: 4", ""},
		"name.yaml":     {"variants: [{name: a, windows: 3}, {name: b}]\nminers: 5", ""},
		"unknown.yaml":  {"minors: 4", `unknown name "minors"`},
		"param.yaml":    {"params: {batches: 4}", `unknown name "batches"`},
		"preset.yaml":   {"preset: huge", `unknown preset "huge"`},
		"windows.yaml":  {"variants: [{name: a, windows: 0}, {name: b, miners: 0}]", "miners is 0"},
		"cheats.yaml":   {"adversaries: lasy", `no adversary "lasy"`},
		"faults.yaml":   {"faults: [window x]", "faults"},
		"baseline.yaml": {"baseline: {kind: sgd}", `kind is "sgd"`},
		"list.yaml":     {"variants: 4", "want a list"},
		"bad.yaml":      {"a: [", "line 1"},
		"what.txt":      {"x", ".yaml"},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		variants, err := ReadFile(path)
		if c.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		switch name {
		case "one.yaml":
			if len(variants) != 1 || variants[0].Name != "one" || variants[0].Miners != 4 || variants[0].Windows != 28 {
				t.Errorf("%s: %+v", name, variants)
			}
		case "name.yaml":
			if len(variants) != 2 || variants[1].Miners != 5 || variants[0].Windows != 3 {
				t.Errorf("%s: %+v", name, variants)
			}
		}
	}
}

// Another method's parameters do not mix with the preset's.
func TestMethodReplaces(t *testing.T) {
	v := Default()
	v.Name = "x"
	v.Params = map[string]any{"batch_size": 4, "method": map[string]any{"name": "other", "params": map[string]any{"a": 1}}}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	if p := v.Run(); p.BatchSize != 4 || p.Method.Name != "other" || string(p.Method.Params) != `{"a":1}` {
		t.Errorf("%+v", p)
	}
}

// What has finished before an interrupt is not computed again, and the comparison is that of a study that was never
// interrupted.
func TestStudyResumes(t *testing.T) {
	variants := small(t)[:3]
	whole := Study{Variants: variants, Seeds: 2, First: 1, Dir: t.TempDir(), Env: env()}
	want, err := whole.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	dir, finished := t.TempDir(), 0
	part := Study{Variants: variants, Seeds: 2, First: 1, Dir: dir, Threads: 1, Env: env(), Notify: func(p Progress) {
		if p.Finished != nil {
			if finished++; finished == 2 {
				cancel()
			}
		}
	}}
	if _, err := part.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	part.Notify = func(p Progress) {
		if p.Done == p.Runs && p.Kept != 2 {
			t.Errorf("%d runs were there, want 2", p.Kept)
		}
	}
	got, err := part.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Variants {
		a, b := got.Variants[i], want.Variants[i]
		if a.Final != b.Final && a.Final.Half.Known() || a.Name != b.Name || len(a.Curve) != len(b.Curve) {
			t.Errorf("%+v\nwant %+v", a, b)
		}
	}
	kept, err := filepath.Glob(filepath.Join(dir, "runs", "*.json"))
	if err != nil || len(kept) != 6 {
		t.Fatal(kept, err)
	}
	if err := os.WriteFile(kept[0], []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := part.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a file that is no result: %v", err)
	}
}

// What share of the processor time the engine takes:
//
//	go test -run xxx -bench Tiny -benchtime 1x -cpuprofile cpu.out ./internal/lab
//	go tool pprof -top -cum -focus 'sim.*timed' cpu.out
func BenchmarkTiny(b *testing.B) {
	v := Default()
	v.Name, v.Windows = "tiny", 10
	if err := v.Check(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := v.Train(b.Context(), env(), Options{Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Last().Tokens)/r.Wall, "tokens/s")
	}
}
