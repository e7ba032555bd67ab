package lab

import (
	"context"
	"fmt"
	"math"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/evaluator"
	"templar/internal/role"
	"templar/internal/sim"
	"templar/internal/telemetry"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// Env is what a program was built with.
type Env struct {
	Methods method.Factories
	Engine  func(protocol.Model) (engine.Engine, error) // of one thread
	Build   string                                      // names the program's version
}

// Options are those of one training.
type Options struct {
	Seed    uint64
	Threads int              // cores to use; 0: all
	Window  func(window int) // called when a window begins, when set
	HeldOut func(Point)      // called for each measurement, when set
}

// Trained is a Variant's training.
type Trained struct {
	Result
	Report collect.Summary // of a network; a baseline's has the losses alone
	Model  []float32       // nil when it was interrupted
	Sim    sim.Stats
}

// Train trains a Variant that Check has accepted. When ctx ends, it returns what there is so far, with
// ctx's error.
func (v *Variant) Train(ctx context.Context, env Env, o Options) (Trained, error) {
	began := time.Now()
	if o.Threads <= 0 {
		o.Threads = workers.Cores()
	}
	train := v.trainNetwork
	if v.Baseline != nil {
		train = v.trainBaseline
	}
	t, err := train(ctx, env, o)
	t.Variant, t.Seed, t.Key, t.Build, t.Wall = v.Name, o.Seed, v.key(o.Seed), env.Build, time.Since(began).Seconds()
	return t, err
}

// runParams are the run parameters for a seed, which draws the initial parameters, the blocks' hashes and with them
// the pages.
func (v *Variant) runParams(seed uint64) protocol.Params {
	p := v.params
	p.Run, p.Seed = fmt.Sprintf("lab-%d", seed), seed
	return p
}

func (v *Variant) trainNetwork(ctx context.Context, env Env, o Options) (t Trained, err error) {
	p := v.runParams(o.Seed)
	text, err := v.corpus()
	if err != nil {
		return t, err
	}
	rec := newRecorder(v, o.HeldOut)
	c := sim.Config{
		Seed: o.Seed, Windows: v.Windows, Miners: v.Miners, Validators: v.Validators, Aggregators: 1, Engine: sim.Real,
		NewEngine: func(_ string, m protocol.Model) (engine.Engine, error) { return env.Engine(m) },
		Methods:   env.Methods, Threads: o.Threads, Faults: v.script, Progress: o.Window,
		Training: sim.Training{Params: &p, Corpus: text, Machine: v.machineOf(&p), Usage: v.Machine.TokensPerSecond > 0, Unwatched: true},
	}
	c.Members = append(v.adversaries(), sim.Member{
		Name: "evaluator-0", Role: telemetry.Evaluator,
		Config: role.Config{Every: uint64(v.Evaluate.Every), HeldOutBatches: v.Evaluate.Batches},
		Ended:  func(work any) { t.Model = work.(*evaluator.Evaluator).Model() },
	})
	collector := collect.NewCollector(v.meta(&p, text, c))
	c.Sink = telemetry.Tee(collector, rec)
	if err := c.Check(); err != nil {
		return t, err
	}
	r, err := sim.Run(ctx, c)
	t.Report, t.Sim, t.Virtual = collector.Summary(), r.Stats, r.Virtual.Seconds()
	t.State, t.Points, t.Pay = r.State, rec.points(), rec.pay(&t.Report)
	t.Utilise = collect.Unknown()
	if v.Machine.TokensPerSecond > 0 {
		t.Utilise = rec.utilisation(&t.Report, float64(v.Windows)*p.WindowTime().Seconds())
	}
	if err == nil && r.Mismatches > 0 {
		err = fmt.Errorf("%d states of nodes differ from the rest's", r.Mismatches)
	}
	return t, err
}

func (v *Variant) adversaries() (out []sim.Member) {
	for _, a := range v.mix.Members() {
		out = append(out, sim.Member{Name: a.Name(), Role: telemetry.Miner, Alter: a.Corrupt})
	}
	return out
}

// meta describes the network to the report.
func (v *Variant) meta(p *protocol.Params, text data.Corpus, c sim.Config) collect.Meta {
	m := collect.Meta{
		Preset: v.Preset, Seed: p.Seed, Windows: v.Windows, Corpus: text.Name, TokenUnit: "byte", UnigramEntropy: data.UnigramEntropy(text.Text),
		BlocksPerWindow: p.BlocksPerWindow, BlockTime: p.BlockTime(),
	}
	for i, n := range c.Nodes() {
		if n.Role != telemetry.Evaluator {
			m.Nodes = append(m.Nodes, collect.Member{Name: n.Name, Role: n.Role, UID: protocol.UID(i)})
		}
	}
	return m
}

// machineOf gives every node its machine.
func (v *Variant) machineOf(p *protocol.Params) func(string) sim.Machine {
	usual := v.Machine
	if usual.TokensPerSecond == 0 {
		usual.TokensPerSecond = v.enough(p)
	}
	return func(node string) sim.Machine {
		m, ok := v.Machines[node]
		if !ok {
			return usual.sim()
		}
		if m.TokensPerSecond == 0 {
			m.TokensPerSecond = usual.TokensPerSecond
		}
		return m.sim()
	}
}

// enough is a speed at which the busiest node computes half of the time: a miner trains on its pages, a validator measures
// each miner's gradient before and after on own and common batches, and an evaluator measures held-out text.
func (v *Variant) enough(p *protocol.Params) float64 {
	window, batch := float64(p.PagesPerWindow*p.PageTokens), float64(p.BatchSize*p.SequenceLength)
	miners := float64(min(p.UIDsPerWindow, v.Miners+len(v.mix.Members())))
	sampled := math.Ceil(p.ValidatorSampleRate*window/batch+1) * batch
	validator := (3*miners + 1) * sampled / 3
	measured := float64(v.Evaluate.Batches) * batch / 3
	return 2 * max(window, validator, measured) / p.WindowTime().Seconds()
}
