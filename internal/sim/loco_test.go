package sim

import (
	"testing"

	"templar/internal/parts"
	"templar/internal/workers"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

// trainings are the training methods: what must hold, holds for each of them.
var trainings = []struct {
	name string
	tune func(*protocol.Params)
}{{dctsign.Name, nil}, {sparseloco.Name, tuneLoco}}

// eachMethod runs a test with every method. tune adds the method to a Config whose run parameters it changes.
func eachMethod(t *testing.T, f func(t *testing.T, tune func(Config) Config)) {
	for _, m := range trainings {
		t.Run(m.name, func(t *testing.T) {
			f(t, func(c Config) Config {
				c.Methods = method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New}
				other := c.tune
				c.tune = func(p *protocol.Params) {
					if m.tune != nil {
						m.tune(p)
					}
					if other != nil {
						other(p)
					}
				}
				return c
			})
		})
	}
}

// tuneLoco makes run parameters those of SparseLoCo.
func tuneLoco(p *protocol.Params) {
	loco := sparseloco.Params{
		InnerRate: 0.01, WarmupSteps: 4, DecaySteps: 200, FinalShare: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, ClipNorm: 1,
		ErrorDecay: 0.9, OuterRate: 1, TargetChunk: 16, TopK: 32, ValueBits: 2, UpdateBits: 4,
	}
	m, err := protocol.NewMethod(sparseloco.Name, loco)
	if err != nil {
		panic(err)
	}
	p.Method = m
}

// altered is a method whose node computes something else.
type altered struct {
	method.Method
	apply func(m *method.Method, params []float32, u method.Update, rate float32)
	rate  func(float32) float32
}

// alters gives a node its own Apply, or its own Rate, which it accepts of others as well.
func alters(d *parts.Parts, a altered) {
	a.Method = *d.Run.Method
	m := *d.Run.Method
	m.Applier = &a
	d.Run.Method = &m
}

func (a *altered) Apply(params []float32, u method.Update, rate float32) {
	if a.apply == nil {
		a.Method.Apply(params, u, rate)
		return
	}
	a.apply(&a.Method, params, u, rate)
}

func (a *altered) Rate(step uint64) float32 {
	if a.rate == nil {
		return a.Method.Rate(step)
	}
	return a.rate(a.Method.Rate(step))
}

func (a *altered) AcceptsRate(step uint64, rate float32) bool {
	return rate == a.Rate(step) || a.rate == nil && a.Method.AcceptsRate(step, rate)
}

// decays takes a little away from every parameter, as no other node does.
func decays(m *method.Method, params []float32, u method.Update, rate float32) {
	m.Apply(params, u, rate)
	for i, p := range params {
		params[i] = p - float32(p*1e-4)
	}
}

// loses is a pool that leaves all work undone now and then.
func loses() workers.Pool {
	calls := 0
	return workers.Pool{Workers: 1, Each: func(n int, f func(int)) {
		if calls++; calls%7 != 0 {
			for i := range n {
				f(i)
			}
		}
	}}
}

// SparseLoCo trains a network of the real roles, with the real engine.
func TestLocoTrains(t *testing.T) {
	var first, last []float32
	c := Config{
		Seed: 1, Windows: 20, Miners: 3, Validators: 2, Aggregators: 1, Engine: Real, NewEngine: newCPU, Threads: 2,
		Methods: method.Factories{sparseloco.Name: sparseloco.New}, tune: tuneLoco,
		alter: named("miner-0", func(_ *Node, _ *process, d *parts.Parts) { d.Engine = &kept{d.Engine, &first, &last} }),
	}
	r := runs(t, c)
	if r.Failed() || r.Applied < 5*c.Windows || r.Mismatches > 0 {
		t.Fatalf("%+v", r)
	}
	before, after := textLoss(t, first), textLoss(t, last)
	t.Logf("%.3f nats a token, at first %.3f", after, before)
	if after > before-1.5 {
		t.Errorf("the loss is %.3f nats a token, at first %.3f", after, before)
	}
}
