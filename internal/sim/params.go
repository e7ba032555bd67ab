package sim

import (
	"bytes"

	"templar/protocol"
)

// params are run parameters with windows of 12 s. The model has some 11 000 parameters, or
// 3000 for the cheap engine.
func params(e Engine) protocol.Params {
	p := protocol.Default()
	p.Run, p.Seed, p.Stores = "sim", 1, []string{endpoint}
	p.Model = protocol.Model{
		VocabSize: 256, HiddenSize: 16, Layers: 1, Heads: 2, KVHeads: 2, IntermediateSize: 32,
		MaxPositions: 16, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.1,
	}
	p.SequenceLength, p.PageTokens, p.PagesPerWindow, p.BatchSize = 16, 64, 2, 4
	p.LearningRate, p.WarmupSteps, p.TMax, p.MomentumDecay, p.MomentumWarmup = 1e-2, 2, 20, 0.5, 2
	p.TargetChunk, p.TopK = 16, 16
	p.BlockSeconds, p.BlocksPerWindow = 2, 6
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.PublicationSeconds, p.PeerGatherSeconds = 2, 2, 2, 2, 3
	p.MinimumPeers, p.ValidatorSampleRate, p.WindowsPerWeights, p.CheckpointFrequency, p.SampleValues = 1, 0.5, 4, 5, 64
	p.ActiveCheckSeconds = 6
	if e == Cheap {
		p.Model.HiddenSize, p.Model.IntermediateSize, p.Model.TieEmbeddings = 8, 16, true
		p.TargetChunk, p.TopK = 8, 8
	}
	return p
}

// text is something to learn: a few words in a fixed order of no period.
func text() []byte {
	words := []string{"light", "ray", "prism", "colour", "glass", "refracted", "the", "of", "is"}
	draw := protocol.NewDraw("sim text", protocol.Hash{})
	var b bytes.Buffer
	for range 1500 {
		b.WriteString(words[draw.Below(uint64(len(words)))])
		b.WriteByte(' ')
	}
	return b.Bytes()
}
