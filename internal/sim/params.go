package sim

import (
	"templar/internal/harness"
	"templar/protocol"
)

// params are the harness's, or for the cheap engine those of a model with some 3000 parameters.
func params(e Engine) protocol.Params {
	p := harness.Params("sim", endpoint)
	p.RelayBytes = 96 // several parts, whichever the model
	p.WindowsPerWeights, p.CheckpointFrequency, p.ActiveCheckSeconds = 4, 5, 6
	if e == Cheap {
		p.Model.HiddenSize, p.Model.IntermediateSize, p.Model.TieEmbeddings = 8, 16, true
		p.Method = p.Method.With("target_chunk", 8).With("topk_compression", 8)
	}
	return p
}
