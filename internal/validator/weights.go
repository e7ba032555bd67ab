package validator

import (
	"context"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// setWeights sets the scores on the chain when weights are due that the chain has not accepted
// yet, including those that it refused earlier, that were not revealed, or that an earlier
// instance did not set. Setting them twice is harmless.
func (v *Validator) setWeights(ctx context.Context) error {
	if err := v.settleWeights(ctx); err != nil {
		return err
	}
	due, ok := v.weightsDue()
	weights := v.book.Weights(v.Params.PowerNormalisation)
	if !ok || due <= max(v.book.Weighed, v.book.Pending.Window) || len(weights) == 0 {
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
	if r.Status == chain.StatusPending {
		book.Pending = score.Pending{Window: w, Block: r.Block, EffectiveAt: r.EffectiveAt}
	} else {
		book.Weighed, book.Pending = w, score.Pending{}
	}
	return v.keepBook(ctx, book)
}

// settleWeights asks whether committed weights have come into effect, once the chain has
// reached the block of their reveal. It takes at most one block time; an undecided reveal is
// checked again after the next window. Weights that were not revealed count as never set.
func (v *Validator) settleWeights(ctx context.Context) error {
	p := v.book.Pending
	if p.IsZero() {
		return nil
	}
	short, cancel := clock.WithTimeout(ctx, v.Clock, v.Params.BlockTime())
	defer cancel()
	head, err := v.Chain.Head(short)
	if err == nil && head.Number < p.EffectiveAt {
		return nil
	}
	var r chain.Receipt
	if err == nil {
		r, err = v.Chain.Settle(short, v.Outbox.Signer, chain.Receipt{Status: chain.StatusPending, Block: p.Block, EffectiveAt: p.EffectiveAt})
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case short.Err() != nil:
		v.Log.Debug("weights: the reveal is not decided", "window", p.Window, "reveal_block", p.EffectiveAt)
		return nil
	case err != nil:
		v.Log.Warn("weights: whether they were revealed is not known, looking again in the next window", "window", p.Window, "err", err)
		return nil
	}
	book := v.book
	book.Pending = score.Pending{}
	if r.Status == chain.StatusFailed {
		v.Log.Warn("weights were committed and not revealed, setting them again", "window", p.Window, "block", p.Block, "reason", r.Reason)
		v.Events.Emit(v.book.Next-1, telemetry.WeightsSet{Block: p.Block, Reason: r.Reason})
	} else {
		book.Weighed = p.Window
	}
	return v.keepBook(ctx, book)
}

// keepBook makes a book durable, then current.
func (v *Validator) keepBook(ctx context.Context, book score.Book) error {
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
