package main

import (
	"context"
	"math"
	"slices"
	"testing"

	"templar/internal/chain"
	"templar/internal/dashboard/collect"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/engine/device"
	"templar/internal/parts"
	"templar/internal/score"
	"templar/internal/sim"
	"templar/internal/telemetry"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

// Nodes of the network that compute on a device, when there is one.
const (
	deviceMiner     = "miner-1"
	deviceValidator = "validator-1"
)

// Gradients that were computed and compressed on a device are taken and paid like others, validators that decode trial steps there
// measure what others do, and all nodes hold the same parameters: in a network of the real roles in virtual time, beside the same
// network without a device.
func TestNetwork(t *testing.T) {
	spec := plugin(t, "plugin:") // with one folder of programs
	for _, preset := range []string{"tiny", "tiny-loco"} {
		t.Run(preset, func(t *testing.T) {
			var used uses
			host := simulate(t, preset, newCPU)
			mixed := simulate(t, preset, func(node string, m protocol.Model) (engine.Engine, error) {
				if node != deviceMiner && node != deviceValidator {
					return newCPU(node, m)
				}
				e, err := device.Start(spec, m, device.Options{})
				if err != nil {
					return nil, err
				}
				return watched{e, &used}, nil
			})
			if used.compressed != networkWindows || used.stored == 0 || used.tried < 2*networkWindows {
				t.Errorf("%+v: the device was not used as it should be", used)
			}
			mixed.check(t)
			mixed.compare(t, host)
		})
	}
}

func newCPU(_ string, m protocol.Model) (engine.Engine, error) {
	return cpu.New(m, cpu.Options{Threads: 1})
}

// uses counts what nodes had their devices do.
type uses struct{ compressed, stored, tried int }

type watched struct {
	engine.Engine
	uses *uses
}

func (e watched) Compressor() engine.Compressor {
	return watchedCompressor{engine.CompressorOf(e.Engine), e.uses}
}

type watchedCompressor struct {
	engine.Compressor
	uses *uses
}

func (c watchedCompressor) Compress(ctx context.Context, decay, scale float32) (engine.Chosen, error) {
	c.uses.compressed++
	return c.Compressor.Compress(ctx, decay, scale)
}

func (c watchedCompressor) Subtract(ctx context.Context, values []float32) error {
	c.uses.stored++
	return c.Compressor.Subtract(ctx, values)
}

func (c watchedCompressor) TrySent(ctx context.Context, s engine.Sent) (undo func(context.Context) error, err error) {
	c.uses.tried++
	return c.Compressor.TrySent(ctx, s)
}

// networkWindows are enough for both miners to be proven and paid.
const networkWindows = 12

// outcome is what a network has come to.
type outcome struct {
	result sim.Result
	report collect.Summary
	pay    map[string]float64 // by miner: its share by the chain
}

// simulate runs two miners, two validators and an evaluator with a model that compiles in a second.
func simulate(t *testing.T, preset string, open func(node string, m protocol.Model) (engine.Engine, error)) outcome {
	t.Helper()
	p, err := protocol.Preset(preset)
	if err != nil {
		t.Fatal(err)
	}
	p.Model.HiddenSize, p.Model.IntermediateSize, p.Model.Layers = 64, 128, 1
	p.PagesPerWindow, p.ValidatorSampleRate, p.WindowsPerWeights, p.CheckpointFrequency = 8, 0.5, 2, 4
	text, err := data.Opticks()
	if err != nil {
		t.Fatal(err)
	}
	var c chain.Chain
	var graph chain.Metagraph
	var unread error
	config := sim.Config{
		Seed: 2, Windows: networkWindows, Miners: 2, Validators: 2, Aggregators: 1, Threads: 1, Engine: sim.Real, NewEngine: open,
		Methods: method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New},
		Training: sim.Training{Params: &p, Corpus: text, Members: []sim.Member{{
			Name: "evaluator-0", Role: telemetry.Evaluator,
			Alter: func(d parts.Parts) parts.Parts { c = d.Chain; return d },
			Ended: func(any) { graph, unread = c.Metagraph(t.Context()) },
		}}},
	}
	meta := collect.Meta{UnigramEntropy: math.NaN(), BlocksPerWindow: p.BlocksPerWindow, BlockTime: p.BlockTime()}
	for i, n := range config.Nodes() {
		meta.Nodes = append(meta.Nodes, collect.Member{Name: n.Name, Role: n.Role, UID: protocol.UID(i)})
	}
	collector := collect.NewCollector(meta)
	config.Sink = collector
	o := outcome{pay: make(map[string]float64)}
	if o.result, err = sim.Run(t.Context(), config); err != nil || unread != nil {
		t.Fatal(err, unread)
	}
	o.report = collector.Summary()
	for _, m := range o.report.Miners {
		for _, n := range graph.Neurons {
			if n.UID == m.UID {
				o.pay[m.Node] = float64(n.Incentive) / math.MaxUint16
			}
		}
	}
	return o
}

// check finds out whether everything in a network counts and agrees.
func (o *outcome) check(t *testing.T) {
	t.Helper()
	if o.result.Failed() || o.result.Windows != networkWindows || len(o.report.Windows) != networkWindows {
		t.Errorf("%d windows, %d reported: %v", o.result.Windows, len(o.report.Windows), o.result.Violations)
	}
	for _, w := range o.report.Windows {
		if !slices.Equal(w.Gathered, []protocol.UID{2, 3}) || len(w.Skipped) > 0 {
			t.Errorf("window %d: gradients of %v, verdicts %v", w.Window, w.Gathered, w.Skipped)
		}
		if strays := w.Dissenters(); len(w.StateHash) != 5 || len(strays) > 0 {
			t.Errorf("window %d: of %d nodes %v hold other parameters", w.Window, len(w.StateHash), strays)
		}
	}
	for _, m := range o.report.Miners {
		ours, theirs := m.Validators["validator-0"], m.Validators[deviceValidator]
		for _, s := range []collect.Standing{ours, theirs} {
			if s.Evaluations != networkWindows || !(s.Final > 0 && s.Weight > 0) || len(s.Notes) > 0 {
				t.Errorf("%s: %+v", m.Node, s)
			}
		}
		if ours.Losses == nil || theirs.Losses == nil {
			t.Fatalf("%s was not measured", m.Node)
		}
		want := losses(ours.Losses)
		for i, l := range losses(theirs.Losses) {
			if !near(l, want[i], 1e-5) {
				t.Errorf("%s: losses %v, on the device %v", m.Node, want, losses(theirs.Losses))
				break
			}
		}
	}
}

// losses are on own and on common pages, before and after the step.
func losses(l *score.Losses) [4]float64 {
	return [4]float64{float64(l.OwnBefore), float64(l.OwnAfter), float64(l.RandomBefore), float64(l.RandomAfter)}
}

// compare finds out whether a network has learned and paid what one without a device does. Payloads differ where rounding decides what is
// chosen, and what follows from them does.
func (o *outcome) compare(t *testing.T, host outcome) {
	t.Helper()
	for node, pay := range o.pay {
		if want := host.pay[node]; !(pay > 0.2) || math.Abs(pay-want) > 0.05 {
			t.Errorf("%s is paid %.3f, without a device %.3f", node, pay, want)
		}
	}
	for i, w := range o.report.Windows {
		for node, loss := range w.TrainingLoss {
			want := host.report.Windows[i].TrainingLoss[node]
			if !near(float64(loss), float64(want), 1e-3) {
				t.Fatalf("window %d: %s has loss %g, without a device %g", w.Window, node, loss, want)
			}
		}
	}
}

func near(a, b, part float64) bool { return math.Abs(a-b) <= part*math.Abs(b) }
