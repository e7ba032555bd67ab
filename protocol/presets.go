package protocol

import "fmt"

// Default returns the run parameters of Templar v0.2.82 (the 1b preset).
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
		GatherSeconds: 15, PublicationSeconds: 15, PeerGatherSeconds: 35,
		MaxTopKPeers: 15, MinimumPeers: 5, PeersToReplace: 1, PeerReplacementFrequency: 5, PeerListWindowMargin: 2,
		ActiveCheckSeconds: 60, RecentWindows: 5,
		ValidatorOffset: 2, UIDsPerWindow: 4, ValidatorSampleRate: 0.1,
		OpenSkillBeta: 20, OpenSkillTau: 0.1, BinaryScoreAlpha: 0.05, SyncMaxStepsBehind: 3, PowerNormalisation: 2,
		InactivityPenalty: 0.75, MissingGradientPenalty: 0.25, SyncPenalty: 0.25, ResetInactivityWindows: 25,
		CopyIndices: 0.95, CopyValues: 0.5, CopyPenalty: 0,
		WindowsPerWeights: 50, SampleValues: 256, CheckpointFrequency: 100,
	}
}

// Preset returns the run parameters of a name: tiny, 150m or 1b.
func Preset(name string) (Params, error) {
	p := Default()
	switch name {
	case "1b":
	case "150m":
		p.Model.HiddenSize, p.Model.Layers, p.Model.IntermediateSize = 768, 12, 2048
	case "tiny":
		p.tiny()
	default:
		return Params{}, fmt.Errorf("unknown preset %q: have tiny, 150m, 1b", name)
	}
	return p, nil
}

// tiny fits a byte-level model and windows of seconds on two cores of one machine.
func (p *Params) tiny() {
	p.Model = Model{
		VocabSize: 256, HiddenSize: 128, Layers: 2, Heads: 4, KVHeads: 4, IntermediateSize: 384,
		MaxPositions: 256, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.05,
	}
	p.SequenceLength, p.PageTokens, p.PagesPerWindow, p.BatchSize = 64, 512, 6, 8
	p.Method = p.Method.With("learning_rate", 6e-3).With("warmup_steps", 5).With("t_max", 34).With("momentum_decay", 0.5)
	p.BlockSeconds, p.BlocksPerWindow = 0.5, 7
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.PublicationSeconds, p.PeerGatherSeconds = 1.25, 1, 0.75, 0.5, 2
	p.MinimumPeers, p.PeerReplacementFrequency, p.ActiveCheckSeconds = 1, 5, 2
	p.ValidatorSampleRate, p.WindowsPerWeights, p.CheckpointFrequency = 0.5, 4, 5
}

// preset is the Method of parameters that are all numbers.
func preset(name string, params map[string]float64) Method {
	m, err := NewMethod(name, params)
	if err != nil {
		panic(err) // numbers have a JSON form
	}
	return m
}
