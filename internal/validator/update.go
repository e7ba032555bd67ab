package validator

import (
	"context"
	"fmt"

	"templar/internal/chain"
	"templar/protocol"
	"templar/wire"
)

// update applies the Aggregate of w, holds it against what this validator gathered,
// uploads the sync sample, and saves a checkpoint when one is due. Without the Aggregate
// the validator stays where it is.
func (v *Validator) update(ctx context.Context, w protocol.Window) error {
	x := v.Exchange
	v.Phase(w, "applying")
	end, err := x.EndOf(ctx, w)
	if err != nil {
		return err
	}
	if err := v.apply(ctx, w, end); err != nil {
		return err
	}
	if err := x.PutSample(ctx, v.model.State()); err != nil {
		v.Log.Warn("sync sample not uploaded", "window", w, "err", err) // a checkpoint may be due all the same
	}
	if v.model.Step()%x.Params.CheckpointFrequency == 0 || v.model.Next() == v.stop {
		v.owed = true
	}
	if err := v.checkpoint(ctx); err != nil {
		return err
	}
	v.PruneOwn(ctx, v.model.Next())
	return nil
}

// apply applies the Aggregate that the window was judged by, or the one that has come since.
func (v *Validator) apply(ctx context.Context, w protocol.Window, end chain.Block) error {
	x := v.Exchange
	committed := func(a *wire.Aggregate, hash protocol.Hash, size int64) error {
		v.Applied(v.model, a, hash, size)
		v.audit(ctx, a)
		return nil
	}
	if s := v.judged; s != nil && s.plan.Window == w && s.aggregate != nil {
		if err := v.model.Commit(s.aggregate.Aggregate, s.aggregate.hash); err != nil {
			return err
		}
		return committed(s.aggregate.Aggregate, s.aggregate.hash, s.aggregate.size)
	}
	done, err := v.Follow(ctx, v.model, w+1, x.AggregateDeadline(end), committed)
	if err == nil && !done {
		err = fmt.Errorf("no aggregate of window %d yet", w)
	}
	return err
}
