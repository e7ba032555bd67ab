package validator

import (
	"context"

	"templar/internal/chain"
	"templar/internal/telemetry"
	"templar/protocol"
)

// setWeights sets the scores on the chain when weights are due that the chain has not accepted
// yet, including those that it refused earlier or that an earlier instance did not set. Setting
// them twice is harmless.
func (v *Validator) setWeights(ctx context.Context) error {
	due, ok := v.weightsDue()
	weights := v.book.Weights(v.Params.PowerNormalisation)
	if !ok || due <= v.book.Weighed || len(weights) == 0 {
		return nil
	}
	w := v.book.Next - 1
	v.Events.Phase(w, "weights")
	call := chain.Weights{VersionKey: protocol.Version}
	for _, e := range weights {
		call.Entries = append(call.Entries, chain.Weight{UID: e.UID, Value: e.Value})
	}
	r, err := v.Chain.SetWeights(ctx, v.Outbox.Signer, call)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.Log.Warn("weights: outcome unknown, setting them again in the next window", "window", w, "err", err)
		return nil
	}
	accepted := r.Status != chain.StatusFailed
	v.Events.Emit(w, telemetry.WeightsSet{Accepted: accepted, Block: r.Block, Reason: r.Reason})
	if !accepted {
		return nil
	}
	book := v.book
	book.Weighed = w
	if err := v.saveBook(ctx, book); err != nil {
		return err
	}
	v.book = book
	return nil
}

// weightsDue returns the newest closed window after which weights are due: every
// windows_per_weights windows from the start.
func (v *Validator) weightsDue() (w protocol.Window, ok bool) {
	start, every := v.model.Start(), protocol.Window(v.Params.WindowsPerWeights)
	if v.book.Next < start+every {
		return 0, false
	}
	return v.book.Next - 1 - (v.book.Next-start)%every, true
}
