package sim

import (
	"testing"

	"templar/internal/parts"
	"templar/method"
	"templar/method/sparseloco"
	"templar/protocol"
)

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

// What must hold under faults holds for SparseLoCo, too: crashes in any phase, stores and connections that fail, clocks that are wrong and
// aggregators that publish false Aggregates. A run is repeatable to the bit.
func TestLocoUnderFaults(t *testing.T) {
	var states []protocol.Hash
	for _, seed := range []uint64{1, 2, 3, 1} {
		c := Config{
			Seed: seed, Windows: 16, Miners: 3, Validators: 2, Aggregators: 2, Engine: Real, NewEngine: newCPU, Threads: 2,
			Methods: method.Factories{sparseloco.Name: sparseloco.New}, tune: tuneLoco,
		}
		c.Faults = Random(c)
		r := runs(t, c)
		if r.Failed() || r.Mismatches > 0 {
			t.Fatalf("seed %d: %+v", seed, r)
		}
		states = append(states, r.State)
	}
	if states[0] != states[3] {
		t.Errorf("the same seed ended at %v and %v", states[0], states[3])
	}
}
