package plan

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"templar/internal/memory"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

var methods = method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New}

func memoryOf(r telemetry.Role) (memory.Need, error) {
	n := memory.Need{Least: 1 << 30, Most: 2 << 30}
	if r == telemetry.Miner {
		n.Device = 29 << 30
	}
	return n, nil
}

func machines() Machines {
	return Machines{
		Node: Link{3e8, 3e8}, Server: Link{1e9, 1e9}, Store: Link{1e9, 1e9}, TokensPerSecond: 2000,
		Speeds: Speeds{Compress: 1e9, Reduce: 1e10, Apply: 5e9, Hash: 5e9}, Miners: 16, Validators: 3,
	}
}

func preset(t *testing.T, name string, change func(*protocol.Params)) run.Run {
	t.Helper()
	p, err := protocol.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&p)
	}
	r, err := run.New(p, methods)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func phase(t *testing.T, p *Plan, name string) Phase {
	t.Helper()
	for _, ph := range p.Phases {
		if ph.Name == name {
			return ph
		}
	}
	t.Fatalf("no phase %q", name)
	return Phase{}
}

// The 1b preset by hand: 1,208,084,480 parameters, an Aggregate of one bit for each.
func TestPlanOf1b(t *testing.T) {
	p, err := Of(preset(t, "1b", nil), machines(), memoryOf)
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(p.Update) / float64(p.Parameters) * 8; math.Abs(got-1) > 0.001 {
		t.Errorf("an Aggregate has %.4f bits a parameter", got)
	}
	if got, want := phase(t, p, "upload the gradient").Seconds, float64(p.Payload)*8/3e8; got != want {
		t.Errorf("upload %v s, want %v", got, want)
	}
	// Each of 15 parts leaves the store once, 151 MB x 8 / 1e9, is stored at 300 Mb/s, and 15 of them come at 300 Mb/s.
	if got := phase(t, p, "fetch the Aggregate").Seconds; math.Abs(got-(1.208+0.268+4.027)) > 0.02 {
		t.Errorf("fetch %v s", got)
	}
	waiting := p.Waiting()
	// 73,728 tokens at 2000 a second are 36.9 s.
	if want := min(36.864, 84-waiting) / 84; math.Abs(p.Utilisation-want) > 1e-9 || len(p.Faults) != 0 {
		t.Errorf("utilisation %v, want %v; faults %q", p.Utilisation, want, p.Faults)
	}
}

// Without relays 19 nodes share the store's gigabit: 19 x 151 MB x 8 / 1e9.
func TestPlanOfWholeAggregates(t *testing.T) {
	p, err := Of(preset(t, "1b", func(p *protocol.Params) { p.RelayBytes = 0 }), machines(), memoryOf)
	if err != nil {
		t.Fatal(err)
	}
	if got := phase(t, p, "fetch the Aggregate").Seconds; math.Abs(got-22.95) > 0.1 {
		t.Errorf("fetch %v s", got)
	}
}

// What is expected follows from the sizes that were measured, and deadlines from the largest. A gradient of 1b has 21 MB, and
// at most 50.
func TestExpectedAndLargest(t *testing.T) {
	m := machines()
	m.Speeds.PayloadBytes, m.Speeds.UpdateBytes = 0.0175, 0.125
	p, err := Of(preset(t, "1b", nil), m, memoryOf)
	if err != nil {
		t.Fatal(err)
	}
	if p.Payload < 21e6 || p.Payload > 22e6 || p.Largest.Payload < 45e6 || p.Largest.Payload > 51e6 {
		t.Errorf("a gradient has %d bytes, at most %d", p.Payload, p.Largest.Payload)
	}
	up := phase(t, p, "upload the gradient")
	if up.Seconds != float64(p.Payload)*8/3e8 || up.Largest != float64(p.Largest.Payload)*8/3e8 {
		t.Errorf("upload: %+v", up)
	}
	for _, r := range p.Roles {
		if r.Up > r.Largest.Up || r.Down > r.Largest.Down || r.Bucket > r.Largest.Bucket {
			t.Errorf("%s: %+v is more than %+v", r.Role, r.Moved, r.Largest)
		}
	}
	if agg := p.Roles[2]; float64(agg.Bucket) > 0.7*float64(agg.Largest.Bucket) {
		t.Errorf("an aggregator bucket holds %d, at most %d", agg.Bucket, agg.Largest.Bucket)
	}
	for _, ph := range p.Phases {
		if strings.Contains(ph.Name, "hash") {
			t.Errorf("%s counts as waiting", ph.Name)
		}
	}
	if math.Abs(p.Hashing-float64(p.Parameters)/5e9) > 1e-9 {
		t.Errorf("hashing takes %v s", p.Hashing)
	}
	var text bytes.Buffer
	if err := p.Write(&text); err != nil || !strings.Contains(text.String(), "at most 47") {
		t.Errorf("%v\n%s", err, &text)
	}
	for _, want := range []string{"1.0 GiB to 2.0 GiB, device 29 GiB", "the model's state on the device"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text has no %q:\n%s", want, text.String())
		}
	}
}

func TestPlanNamesWhatDoesNotFit(t *testing.T) {
	slow := func(change func(*Machines)) Machines {
		m := machines()
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		machines Machines
		change   func(*protocol.Params)
		says     string
	}{
		"slow upload":      {slow(func(m *Machines) { m.Node.Up = 1e7 }), nil, "upload the gradient takes"},
		"slow gather":      {slow(func(m *Machines) { m.Server.Down = 1e8 }), nil, "raise gather_seconds"},
		"slow publication": {slow(func(m *Machines) { m.Server.Up = 5e7 }), nil, "raise publication_seconds"},
		"slow compression": {slow(func(m *Machines) { m.Speeds.Compress = 1.2e8 }), nil, "compressing and uploading take"},
		"slow reduction":   {slow(func(m *Machines) { m.Speeds.Reduce = 1e9 }), nil, "reducing and publishing take"},
		"too many pages":   {machines(), func(p *protocol.Params) { p.PagesPerWindow = 60 }, "more than the window"},
		"too much data":    {slow(func(m *Machines) { m.Node.Down = 5e7 }), nil, "a validator moves"},
	} {
		p, err := Of(preset(t, "1b", c.change), c.machines, memoryOf)
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(p.Faults, "\n"); !strings.Contains(all, c.says) {
			t.Errorf("%s: faults %q", name, p.Faults)
		}
		var text bytes.Buffer
		if err := p.Write(&text); err != nil || !strings.Contains(text.String(), "does not fit: ") {
			t.Errorf("%s: %v\n%s", name, err, &text)
		}
	}
}

// The work on a token is 6 operations a parameter and attention's, within the tables of published models: 7.7 GFLOP for 1.2
// billion parameters at 2048 tokens.
func TestFlopsPerToken(t *testing.T) {
	m := preset(t, "1b", nil).Params.Model
	if got := FlopsPerToken(m, 2048); got < 6.8e9 || got > 7.8e9 {
		t.Errorf("%.3g", got)
	}
}

// Every preset has a smaller model of the same shapes to measure on.
func TestMeasureEveryPreset(t *testing.T) {
	for _, name := range protocol.Presets() {
		p, err := protocol.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		m := small(p.Model)
		if err := m.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if size := m.Layout().Size(); size < measured/2 || size > 4*measured {
			t.Errorf("%s is measured with %d parameters", name, size)
		}
	}
	if testing.Short() {
		return
	}
	for _, name := range []string{"tiny", "tiny-loco"} {
		p, _ := protocol.Preset(name)
		s, err := Measure(p, methods)
		if err != nil || !(s.Compress > 0 && s.Reduce > 0 && s.Apply > 0 && s.Hash > 0 && s.PayloadBytes > 0 && s.UpdateBytes > 0) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// The sizes that Measure finds are those of distinct gradients: an update of 15 of SparseLoCo covers up to 15/64 of
// a model, and an Aggregate of 1b-loco has 233 MB.
func TestMeasureSizes(t *testing.T) {
	p, _ := protocol.Preset("1b-loco")
	s, err := Measure(p, methods)
	if err != nil {
		t.Fatal(err)
	}
	m := machines()
	m.Speeds = s
	out, err := Of(preset(t, "1b-loco", nil), m, memoryOf)
	if err != nil {
		t.Fatal(err)
	}
	if out.Update < 220e6 || out.Update > 245e6 || out.Payload < 22e6 || out.Payload > 24e6 {
		t.Errorf("an Aggregate has %d bytes, a gradient %d", out.Update, out.Payload)
	}
}

// Deadlines that were fitted to slow links are met on them, with a quarter to spare, and not far from it.
func TestFit(t *testing.T) {
	m := machines()
	m.Node, m.Server = Link{2e7, 2e8}, Link{5e8, 5e8}
	slow := preset(t, "1b", func(p *protocol.Params) { p.BlocksPerWindow = 20 })
	before, err := Of(slow, m, memoryOf)
	if err != nil {
		t.Fatal(err)
	}
	p := *slow.Params
	before.Fit(&p)
	fitted, err := run.New(p, methods)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Of(fitted, m, memoryOf)
	if err != nil {
		t.Fatal(err)
	}
	for _, ph := range after.Phases {
		if ph.Bound > 0 && (ph.Bound < 1.25*ph.Largest || ph.Bound > 1.25*ph.Largest+6) {
			t.Errorf("%s takes %.2f s of %.2f", ph.Name, ph.Largest, ph.Bound)
		}
	}
	if len(before.Faults) == 0 || len(after.Faults) != 0 {
		t.Errorf("before: %q, after: %q", before.Faults, after.Faults)
	}
}
