package validator

import (
	"context"

	"templar/internal/chain"
	"templar/internal/telemetry"
	"templar/protocol"
)

// setWeights puts the scores on the chain every windows_per_weights windows.
func (v *Validator) setWeights(ctx context.Context, w protocol.Window) error {
	x := v.Exchange
	due := (x.Params.Step(v.model.Start(), w)+1)%x.Params.WindowsPerWeights == 0
	weights := v.book.Weights(x.Params.PowerNormalisation)
	if !due || len(weights) == 0 {
		return nil
	}
	v.Phase(w, "weights")
	call := chain.SetWeights{VersionKey: protocol.Version}
	for _, e := range weights {
		call.Weights = append(call.Weights, chain.Weight{UID: e.UID, Value: e.Value})
	}
	r, err := x.Chain.Submit(ctx, x.Signer, call)
	if err != nil {
		v.Log.Warn("weights: outcome unknown", "window", w, "err", err)
		return nil // the scores stand; the next weights say it again
	}
	v.Report.Emit(w, telemetry.WeightsSet{Accepted: r.Status != chain.StatusFailed, Block: r.Block, Reason: r.Reason})
	return nil
}
