package protocol

import (
	"fmt"
	"strings"
)

// Default returns the parameters that a file does not state: those of Templar v0.2.82 (the 1b preset), but for
// scores, draws and peer lists (DescribedScores has its own). Like the original it deletes no gradients before
// the rest; the larger presets do.
func Default() Params {
	return Params{
		Run: "templar",
		Model: Model{
			VocabSize: 32000, HiddenSize: 2048, Layers: 16, Heads: 8, KVHeads: 8, IntermediateSize: 8192,
			MaxPositions: 2048, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
		},
		SequenceLength: 2048, PageTokens: 6 * 2048, PagesPerWindow: 6, BatchSize: 6,
		Method: preset("dctsign", map[string]float64{
			"learning_rate": 4e-4, "weight_decay": 0, "warmup_steps": 250, "t_max": 20000,
			"momentum_decay": 0.999, "momentum_warmup": 5, "target_chunk": 64, "topk_compression": 32,
			"eval_lr_factor": 0.2,
		}),
		BlockSeconds: 12, BlocksPerWindow: 7, DeltaSeconds: 10, SlackSeconds: 2,
		GatherSeconds: 15, KeySeconds: 5, PublicationSeconds: 15, PeerGatherSeconds: 35,
		Randomness:   RandomnessBeacon,
		MaxTopKPeers: 15, MinimumPeers: 5, PeersToReplace: 1, PeerReplacementFrequency: 5, PeerListWindowMargin: 2, UnpaidEvaluations: 20,
		ActiveCheckSeconds: 60, RecentWindows: 5,
		ValidatorOffset: 2, UIDsPerWindow: 4, UnprovenPerWindow: 2, UnprovenPeers: 3, ReservePeers: 5, ValidatorSampleRate: 0.1,
		EvaluationDraw: DrawUniform, ScoreRule: ScoreWork, ScoreEvidence: 2.5,
		OpenSkillBeta: 20, OpenSkillTau: 0.1, BinaryScoreAlpha: 0.05, SyncMaxStepsBehind: 3, PowerNormalisation: 1.5,
		InactivityPenalty: 0.75, MissingGradientPenalty: 0.25, SyncPenalty: 0.25, ResetInactivityWindows: 25,
		CopyIndices: 0.95, CopyValues: 0.5,
		WindowsPerWeights: 50, SampleValues: 256, CheckpointFrequency: 100,
	}
}

// presets are the changes that each preset makes to Default.
var presets = []struct {
	name string
	set  func(*Params)
}{
	{"tiny", (*Params).tiny},
	{"tiny-loco", (*Params).tinyLoco},
	{"150m", func(p *Params) { p.large(100); p.model150m() }},
	{"150m-loco", func(p *Params) { p.large(100); p.model150m(); p.loco(30, 16, 2048, 25) }},
	{"1b", func(p *Params) { p.large(100) }},
	{"1b-loco", func(p *Params) { p.large(50); p.loco(30, 192, 2048, 125) }},
	{"70b", func(p *Params) { p.large(24); p.model70b(); p.loco(30, 192, 2048, 125) }},
}

// Presets lists the names that Preset knows, smallest model first.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

// Preset returns the run parameters of one of Presets.
func Preset(name string) (Params, error) {
	for _, known := range presets {
		if known.name == name {
			p := Default()
			known.set(&p)
			return p, nil
		}
	}
	return Params{}, fmt.Errorf("unknown preset %q: have %s", name, strings.Join(Presets(), ", "))
}

// large is for models whose objects fill buckets and links: gradients are kept for so many windows, and Aggregates relayed.
func (p *Params) large(payloads uint64) { p.PayloadWindows, p.RelayBytes = payloads, 4<<20 }

func (p *Params) model150m() {
	p.Model.HiddenSize, p.Model.Layers, p.Model.IntermediateSize = 768, 12, 2048
}

// model70b has the layout of Llama 2 70B (Touvron et al. 2023, table 1): 69 billion parameters.
func (p *Params) model70b() {
	p.Model.HiddenSize, p.Model.Layers, p.Model.Heads, p.Model.KVHeads, p.Model.IntermediateSize = 8192, 80, 64, 8, 28672
}

// loco makes the method SparseLoCo with the settings of its paper and of Covenant-72B (Sarfi et al. 2025, section 5): so many
// local steps a window, each of a batch of so many sequences, in windows of so many blocks of 12 seconds.
func (p *Params) loco(steps, sequences, length int, blocks uint64) {
	p.SequenceLength, p.BatchSize, p.PageTokens, p.PagesPerWindow = length, sequences, sequences*length, steps
	p.Method = preset("sparseloco", map[string]float64{
		"inner_learning_rate": 1.3e-4, "inner_warmup_steps": 1500, "inner_decay_steps": 100000, "inner_final_share": 0.1,
		"adam_beta1": 0.9, "adam_beta2": 0.95, "adam_eps": 1e-8, "weight_decay": 0.1, "clip_norm": 1,
		"error_decay": 0.95, "outer_rate": 1, "target_chunk": 64, "topk": 64, "value_bits": 2, "update_bits": 4,
	})
	p.BlocksPerWindow = blocks
	if blocks >= 100 { // payloads of 23 MB for 1.2 billion parameters, 1.3 GB for 69
		p.DeltaSeconds, p.GatherSeconds, p.KeySeconds, p.PublicationSeconds, p.PeerGatherSeconds = 120, 120, 15, 120, 240
	}
}

// tinyLoco is tiny with SparseLoCo.
func (p *Params) tinyLoco() {
	p.tiny()
	page := p.PageTokens
	p.loco(40, 8, 64, p.BlocksPerWindow)
	p.PageTokens = page
	p.Method = p.Method.With("inner_learning_rate", 8e-3).With("inner_warmup_steps", 20).With("inner_decay_steps", 3180).
		With("error_decay", 0.9).With("outer_rate", 1.1)
}

// tiny fits a byte-level model and windows of a second on two cores of one machine, 80 of them in two
// minutes: a miner has more pages than it can train on, so that the time decides. The method's parameters
// were measured: docs/adr/0061.
func (p *Params) tiny() {
	p.Model = Model{
		VocabSize: 256, HiddenSize: 128, Layers: 2, Heads: 4, KVHeads: 4, IntermediateSize: 384,
		MaxPositions: 256, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.05,
	}
	p.SequenceLength, p.PageTokens, p.PagesPerWindow, p.BatchSize = 64, 512, 48, 8
	p.Method = p.Method.With("learning_rate", 4e-3).With("warmup_steps", 5).With("t_max", 78).With("momentum_decay", 0.9).With("topk_compression", 128)
	p.BlockSeconds, p.BlocksPerWindow = 0.65, 2
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.KeySeconds, p.PublicationSeconds, p.PeerGatherSeconds = 0.7, 0.1, 0.15, 0.2, 0.15, 1
	p.MinimumPeers, p.PeerReplacementFrequency, p.ActiveCheckSeconds = 1, 5, 2
	p.ValidatorSampleRate, p.WindowsPerWeights, p.CheckpointFrequency = 0.0625, 10, 20
	p.ScoreEvidence = 0.25 // 3 of 48 batches show little of a miner's work: more leaves honest miners unpaid, and takes nothing from others (docs/scores.md)
}

// preset is the Method of parameters that are all numbers.
func preset(name string, params map[string]float64) Method {
	m, err := NewMethod(name, params)
	if err != nil {
		panic(err) // numbers have a JSON form
	}
	return m
}
