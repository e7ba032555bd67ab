package sim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

// planted is a bug that could have been written, made by wrapping what a role is given.
type planted struct {
	name   string
	catch  Invariant
	or     []Invariant // where it depends on what the node does first
	script string      // its faults; empty: those of the seed
	change func(*Config)
	plant  func(n *Node, p *process, d *parts.Parts)
}

var bugs = []planted{
	{name: "the sum leaves a gradient out", catch: Sum, plant: aggregate(func(n *Node, a *run.Aggregate) {
		a.Set(n.net.run.Method.Reduce(payloads(n, a)[1:]))
	})},
	{name: "a gradient is added twice", catch: Sum, plant: aggregate(func(n *Node, a *run.Aggregate) {
		all := payloads(n, a)
		a.Set(n.net.run.Method.Reduce(append(all, all[0], all[0])))
	})},
	{name: "a late upload counts", catch: Members, script: "window 3..9: store slow put gradient of miner-1 6s\nwindow 6: aggregator-0 down",
		plant: gathered(func(n *Node, key string, raw []byte, info store.Info) ([]byte, store.Info) {
			w, _ := protocol.KeyWindow(key)
			end, err := n.net.blocks.chain.Block(n.net.ctx, n.net.run.Params.FirstBlock(w+1))
			if err == nil {
				info.LastModified = end.Time
			}
			return raw, info
		})},
	{name: "the gradients are those of the window before", catch: Counted, script: "\n", plant: peers(func(_ *Node, b store.Bucket) store.Bucket {
		return hooked{Bucket: b, rename: func(key string) string {
			if w, ok := protocol.KeyWindow(key); ok && w > 0 {
				return strings.Replace(key, protocol.GradientKey(w, 0)[:len(protocol.GradientKey(w, 0))-5], protocol.GradientKey(w-1, 0)[:len(protocol.GradientKey(w-1, 0))-5], 1)
			}
			return key
		}}
	})},
	{name: "uploads are judged by the time at which a gather may end", catch: Counted, script: "\n",
		plant: gathered(func(n *Node, _ string, raw []byte, info store.Info) ([]byte, store.Info) {
			info.LastModified = n.net.s.time().Add(n.net.run.Params.Delta())
			return raw, info
		})},
	{name: "a gradient's signature is not checked", catch: Counted, script: "\n",
		plant: gathered(func(n *Node, key string, raw []byte, info store.Info) ([]byte, store.Info) {
			return resigned(n, key, raw), info
		})},
	{name: "more peers than max_topk_peers", catch: Members, script: "\n",
		change: func(c *Config) { c.tune = func(p *protocol.Params) { p.MaxTopKPeers = 2 } },
		plant: only(telemetry.Aggregator, func(_ *Node, _ *process, d *parts.Parts) {
			own := *d.Run.Params
			own.MaxTopKPeers = 5
			d.Run.Params = &own
		})},
	{name: "no copies of the gradients are kept", catch: Members, script: "\n", plant: only(telemetry.Aggregator, func(_ *Node, _ *process, d *parts.Parts) {
		d.Aggregator = without("archive-", d.Aggregator)
	})},
	{name: "no copies of the Aggregates are kept", catch: Progress, script: "window 6: store rolls back aggregator-0", plant: only(telemetry.Aggregator, func(_ *Node, _ *process, d *parts.Parts) {
		d.Local = without("aggregator-", d.Local)
	})},
	{name: "the window's end is taken a block late", catch: Members, script: "\n", plant: only(telemetry.Aggregator, func(_ *Node, _ *process, d *parts.Parts) {
		d.Chain = lateChain{d.Chain}
	})},
	{name: "create if absent is ignored", catch: Sealed, change: func(c *Config) { c.Aggregators = 2 }, plant: overwrites},
	{name: "a restarted aggregator begins anew", catch: OneAggregate, script: "window 5: aggregator-0 crash\nwindow 8: aggregator-0 crash",
		plant: only(telemetry.Aggregator, func(n *Node, p *process, d *parts.Parts) {
			overwrites(n, p, d)
			d.Aggregator = hooked{Bucket: d.Aggregator, blind: "aggregator-"}
			d.Local = without("aggregator-", d.Local)
		})},
	{name: "the aggregator shows a miner another Aggregate", catch: OneAggregate, script: "\n", plant: equivocates},
	{name: "the learning rate is some units off for all nodes", catch: Unbroken, script: "\n", plant: func(_ *Node, _ *process, d *parts.Parts) {
		alters(d, altered{rate: func(r float32) float32 { return r * (1 + 5e-7) }})
	}},
	{name: "an Aggregate forgets the one before", catch: Unbroken, script: "\n", plant: aggregate(func(_ *Node, a *run.Aggregate) { a.Previous = protocol.Hash{} })},
	{name: "a node decays its parameters", catch: SameState, script: "\n", plant: named("miner-1", func(_ *Node, _ *process, d *parts.Parts) {
		alters(d, altered{apply: decays})
	})},
	{name: "a worker of the codec loses a part now and then", catch: SameState, or: []Invariant{Private, Counted}, script: "\n", plant: named("miner-1", losesWork)},
	{name: "theta_0 is drawn from another seed", catch: SameState, script: "\n", plant: named("validator-0", func(_ *Node, _ *process, d *parts.Parts) {
		own := *d.Run.Params
		own.Seed++
		d.Run.Params = &own
	})},
	{name: "the provisional state is sampled", catch: Samples, script: "window 4..6: aggregator-0 down", plant: only(telemetry.Miner, samplesProvisional)},
	{name: "a sample names the state before the window", catch: Samples, script: "\n", plant: named("validator-1", resampled(staleHash))},
	{name: "the provisional state is saved", catch: Private, script: "window 4..6: aggregator-0 down", plant: only(telemetry.Miner, savesProvisional)},
	{name: "the manifest is written before the files", catch: Checkpoints, script: "\n", plant: only(telemetry.Validator, manifestFirst)},
	{name: "nothing is synced to the disk", catch: Private, plant: forgetful()},
	{name: "private state is lost at a restart", catch: Private, plant: only(telemetry.Miner, func(n *Node, _ *process, d *parts.Parts) {
		if n.starts > 1 {
			d.Local = hooked{Bucket: d.Local, blind: "checkpoint-"}
		}
	})},
	{name: "validators sign what they have not recomputed", catch: Final, script: "window 5: aggregator-0 lies about sum", plant: only(telemetry.Validator, func(_ *Node, _ *process, d *parts.Parts) {
		m := *d.Run.Method
		m.Comparer = agreeing{m.Comparer}
		d.Run.Method = &m
	})},
	{name: "neither charges nor signatures are read", catch: Undone, change: func(c *Config) { c.Validators = 3 }, script: "window 5: aggregator-0 lies about sum",
		plant: named("miner-1", others(func(_ *Node, b store.Bucket) store.Bucket {
			return hooked{Bucket: b, rename: func(key string) string {
				if key == protocol.ChargesKey() || strings.HasPrefix(key, "debug-") {
					return "none"
				}
				return key
			}}
		}))},
	{name: "scores are kept by position, not by hotkey", catch: Scores, plant: only(telemetry.Validator, shiftedScores)},
	{name: "scores are written after the weights are set, if at all", catch: Scores, plant: only(telemetry.Validator, lateScores())},
}

// Every planted bug is found by one of a few seeds, by the invariant that it breaks, and
// the same run without it has nothing wrong.
func TestPlantedBugsAreFound(t *testing.T) { eachMethod(t, plantedBugsAreFound) }

func plantedBugsAreFound(t *testing.T, tune func(Config) Config) {
	const seeds = 8
	var controls sync.Map // of scripts: many bugs have the same one
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= seeds; seed++ {
				c := Config{Seed: seed, Windows: 24, Miners: 4, Validators: 2, Aggregators: 1, Engine: Cheap, Threads: 1}
				if b.change != nil {
					b.change(&c)
				}
				c.Faults = Random(c)
				if b.script != "" {
					c.Faults = parse(t, b.script)
				}
				healthy := c
				c.alter = b.plant
				r := runs(t, tune(c))
				i := slices.IndexFunc(r.Violations, func(v Violation) bool { return v.Invariant == b.catch || slices.Contains(b.or, v.Invariant) })
				if i < 0 {
					t.Logf("seed %d: %v", seed, r.Violations)
					continue
				}
				t.Logf("seed %d, %d windows: %v", seed, r.Windows, r.Violations[i])
				if r := healthyRun(t, &controls, healthy, tune); r.Failed() {
					t.Errorf("seed %d without the bug: %v", seed, r.Violations[0])
				}
				return
			}
			t.Errorf("no seed up to %d finds it", seeds)
		})
	}
}

// healthyRun runs what a bug was planted in without it, unless that was done before.
func healthyRun(t *testing.T, done *sync.Map, c Config, tune func(Config) Config) Result {
	t.Helper()
	if c.tune != nil {
		return runs(t, tune(c))
	}
	once, _ := done.LoadOrStore(fmt.Sprint(c.Seed, c.Aggregators, c.Faults), sync.OnceValue(func() Result { return runs(t, tune(c)) }))
	return once.(func() Result)()
}

func parse(t *testing.T, script string) Script {
	t.Helper()
	s, err := Parse(script)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func runs(t *testing.T, c Config) Result {
	t.Helper()
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
