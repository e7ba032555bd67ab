package sparseloco_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/model"
	"templar/internal/workers"
	"templar/method"
	"templar/method/methodtest"
	"templar/method/sparseloco"
	"templar/protocol"
)

// params are those of a small network on the embedded book.
func params(t *testing.T, change ...func(*sparseloco.Params)) protocol.Params {
	t.Helper()
	p, err := protocol.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	p.PagesPerWindow = 6
	loco := sparseloco.Params{
		InnerRate: 0.008, WarmupSteps: 20, DecaySteps: 900, FinalShare: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, ClipNorm: 1,
		ErrorDecay: 0.9, OuterRate: 1.1, TargetChunk: 64, TopK: 64, ValueBits: 2, UpdateBits: 4,
	}
	for _, f := range change {
		f(&loco)
	}
	if p.Method, err = protocol.NewMethod(sparseloco.Name, loco); err != nil {
		t.Fatal(err)
	}
	return p
}

// network is some miners that train in turn, as a run would have them.
type network struct {
	p      protocol.Params
	m      *method.Method
	theta  []float32
	miners []method.Trainer
	text   []int32
	draw   *rand.Rand
}

func newNetwork(t *testing.T, p protocol.Params, miners int) *network {
	t.Helper()
	m, err := sparseloco.New(&p, workers.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := data.Opticks()
	if err != nil {
		t.Fatal(err)
	}
	n := &network{p: p, m: m, theta: model.Init(p.Model, 1), draw: rand.New(rand.NewPCG(1, 2))}
	for _, b := range c.Text {
		n.text = append(n.text, int32(b))
	}
	for range miners {
		e, err := cpu.New(p.Model, cpu.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		n.miners = append(n.miners, m.NewTrainer(e))
	}
	return n
}

// page is a batch at a place of the text.
func (n *network) page() engine.Batch {
	size := n.p.SequenceLength * n.p.BatchSize
	at := n.draw.IntN(len(n.text) - size - 1)
	return data.Batches(n.text[at:at+size+1], n.p.SequenceLength, n.p.BatchSize)[0]
}

// window trains one and applies its update. It returns the payloads, the mean training loss and by how much
// parameters moved in the mean.
func (n *network) window(t *testing.T, step uint64) (payloads []method.Payload, loss, moved float64) {
	t.Helper()
	ctx, sum := context.Background(), engine.Loss{}
	for _, m := range n.miners {
		if err := m.Begin(ctx, step, n.theta); err != nil {
			t.Fatal(err)
		}
		for range n.p.PagesPerWindow {
			l, err := m.Batch(ctx, n.page())
			if err != nil {
				t.Fatal(err)
			}
			sum.Add(l)
		}
		body, err := m.Payload(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p, v := n.m.Read(body)
		if !v.OK() {
			t.Fatal(v)
		}
		if err := m.Stored(ctx); err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, p)
	}
	before := slices.Clone(n.theta)
	n.m.Apply(n.theta, n.m.Reduce(payloads), n.m.Rate(step))
	for i := range before {
		moved += math.Abs(float64(n.theta[i] - before[i]))
	}
	return payloads, sum.Mean(), moved / float64(len(before))
}

// The method learns; the unit of distances is what an update moves, within a factor of two once the rate is warm; and honest
// payloads share far less than what the default limits call a copy (protocol.Params.CopyIndices, CopyValues).
func TestLearns(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	p := params(t)
	n := newNetwork(t, p, 3)
	const windows = 6
	var first, last float64
	for step := range uint64(windows) {
		payloads, loss, moved := n.window(t, step)
		if last = loss; step == 0 {
			first = loss
		}
		ratio := moved / n.m.StepSize(step)
		t.Logf("window %d: loss %.3f, moved %.3g, %.2f of the step size, %d bytes", step, loss, moved, ratio, len(payloads[0].Bytes()))
		if step > 1 && (ratio < 0.5 || ratio > 2) {
			t.Errorf("window %d: parameters moved by %.2f of the step size", step, ratio)
		}
		if step == windows-1 {
			for a, x := range n.m.Sample(payloads, protocol.Hash{1}) {
				for b, y := range n.m.Sample(payloads[:a], protocol.Hash{1}) {
					places, values := shared(x, y)
					t.Logf("payloads %d and %d share %.3f of places, %.3f of values", a, b, places, values)
					if places > p.CopyIndices/2 || values > p.CopyValues/4 {
						t.Errorf("honest payloads %d and %d share %.2f of places and %.2f of values", a, b, places, values)
					}
				}
			}
		}
	}
	if last > first-1.5 {
		t.Errorf("the loss fell from %.3f to %.3f", first, last)
	}
}

// shared is the share of x's places that y has too, and of those with nearly the same value.
func shared(x, y []method.Chunk) (places, values float64) {
	total := 0
	for c := range x {
		total += len(x[c].Index)
		for i, at := range x[c].Index {
			if k, ok := slices.BinarySearch(y[c].Index, at); ok {
				places++
				if math.Abs(float64(x[c].Value[i]-y[c].Value[k])) < 0.01*math.Abs(float64(x[c].Value[i])) {
					values++
				}
			}
		}
	}
	return places / float64(total), values / float64(total)
}

// Feedback keeps what a store did not take: it is sent again.
func TestErrorFeedback(t *testing.T) {
	ctx := context.Background()
	n := newNetwork(t, params(t), 1)
	m := n.miners[0]
	if err := m.Begin(ctx, 0, n.theta); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Payload(ctx); err != method.ErrNothingTrained {
		t.Errorf("a payload of nothing: %v", err)
	}
	if _, err := m.Batch(ctx, n.page()); err != nil {
		t.Fatal(err)
	}
	start := slices.Clone(n.theta)
	body, err := m.Payload(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(start, n.theta) {
		t.Error("the committed parameters were moved")
	}
	kept := errorOf(t, m)
	p, _ := n.m.Read(body)
	again, err := n.m.Encode(kept)
	if err != nil || !slices.Equal(again.Bytes(), p.Bytes()) {
		t.Errorf("the error buffer is not what was sent of: %v", err)
	}
	if err := m.Stored(ctx); err != nil {
		t.Fatal(err)
	}
	rest := errorOf(t, m)
	decoded := make([]float32, len(rest))
	n.m.Trial(p, 0).Deltas()(decoded, 0) // outer_rate times the payload
	for i := range rest {
		if d := float64(kept[i]-rest[i])*1.1 - float64(decoded[i]); math.Abs(d) > 1e-6*math.Abs(float64(decoded[i])) {
			t.Fatalf("value %d: %v of %v is left, %v was sent", i, rest[i], kept[i], decoded[i]/1.1)
		}
	}
}

func errorOf(t *testing.T, m method.Trainer) []float32 {
	t.Helper()
	tensors, err := m.Save(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range tensors {
		if v.Name == "error" {
			return slices.Clone(v.Values)
		}
	}
	t.Fatal("no error buffer")
	return nil
}

// A miner that was stopped and goes on from its saved state sends what it would have sent.
func TestSaveAndLoad(t *testing.T) {
	ctx := context.Background()
	n := newNetwork(t, params(t), 2)
	pages := []engine.Batch{n.page(), n.page()}
	train := func(m method.Trainer, step uint64) []byte {
		t.Helper()
		if err := m.Begin(ctx, step, n.theta); err != nil {
			t.Fatal(err)
		}
		for _, b := range pages {
			if _, err := m.Batch(ctx, b); err != nil {
				t.Fatal(err)
			}
		}
		body, err := m.Payload(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Stored(ctx); err != nil {
			t.Fatal(err)
		}
		return body
	}
	train(n.miners[0], 0)
	saved, err := n.miners[0].Save(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range saved {
		saved[i].Values = slices.Clone(saved[i].Values)
	}
	if err := n.miners[1].Load(ctx, saved); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(train(n.miners[0], 1), train(n.miners[1], 1)) {
		t.Error("another payload after a restart")
	}
	saved[0].Name = "momentum"
	if err := n.miners[1].Load(ctx, saved); err == nil {
		t.Error("another method's state was taken")
	}
}

func TestParamsRefused(t *testing.T) {
	for name, change := range map[string]func(*sparseloco.Params){
		"inner_learning_rate": func(p *sparseloco.Params) { p.InnerRate = 0 },
		"inner_decay_steps":   func(p *sparseloco.Params) { p.DecaySteps = 0 },
		"error_decay":         func(p *sparseloco.Params) { p.ErrorDecay = 1.5 },
		"outer_rate":          func(p *sparseloco.Params) { p.OuterRate = math.Inf(1) },
		"adam_beta":           func(p *sparseloco.Params) { p.Beta2 = 1 },
		"value_bits":          func(p *sparseloco.Params) { p.ValueBits = 3 },
		"update_bits":         func(p *sparseloco.Params) { p.UpdateBits = 2 },
		"topk":                func(p *sparseloco.Params) { p.TopK = 0 },
		"target_chunk":        func(p *sparseloco.Params) { p.TargetChunk = 65 },
	} {
		p := params(t)
		var loco sparseloco.Params
		if err := p.Method.Decode(&loco); err != nil {
			t.Fatal(err)
		}
		change(&loco)
		if math.IsInf(loco.OuterRate, 1) { // has no JSON form
			if loco.Validate() == nil {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		var err error
		if p.Method, err = protocol.NewMethod(sparseloco.Name, loco); err != nil {
			t.Fatal(err)
		}
		if _, err = sparseloco.New(&p, workers.Pool{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// small are run parameters of a model with a few thousand parameters.
func small(t *testing.T) protocol.Params {
	p := params(t)
	p.Model = protocol.Model{
		VocabSize: 32, HiddenSize: 16, Layers: 1, Heads: 2, KVHeads: 2, IntermediateSize: 32,
		MaxPositions: 16, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.1,
	}
	p.SequenceLength = 16
	p.Method = p.Method.With("target_chunk", 16).With("topk", 16)
	return p
}

func TestConformance(t *testing.T) {
	for _, bits := range [][2]int{{1, 4}, {2, 4}, {4, 8}, {8, 8}} {
		t.Run(fmt.Sprintf("%d bits and %d", bits[0], bits[1]), func(t *testing.T) {
			p := small(t)
			p.Method = p.Method.With("value_bits", bits[0]).With("update_bits", bits[1])
			methodtest.Suite{Factory: sparseloco.New, Params: p, Engine: func(m protocol.Model) (engine.Engine, error) {
				return cpu.New(m, cpu.Options{Threads: 1})
			}}.Run(t)
		})
	}
}

// Every preset of the method is valid, and a window of it fits its time.
func TestPresets(t *testing.T) {
	found := 0
	for _, name := range protocol.Presets() {
		p, err := protocol.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Method.Name != sparseloco.Name {
			continue
		}
		found++
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		m, err := sparseloco.New(&p, workers.Pool{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Logf("%s: %d parameters, payloads of at most %d bytes, updates of %d", name, p.Model.Layout().Size(), m.MaxPayload, m.MaxUpdate)
	}
	if found < 4 {
		t.Errorf("%d presets", found)
	}
}
