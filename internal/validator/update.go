package validator

import (
	"context"
	"fmt"

	"templar/internal/chain"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/protocol"
)

// update applies the Aggregate of w, checks it against what this validator gathered, uploads
// the sync sample, and saves a checkpoint when one is due. Without the Aggregate the state
// does not change.
func (v *Validator) update(ctx context.Context, w protocol.Window) error {
	v.Events.Phase(w, "applying")
	end, err := v.Schedule.EndOf(ctx, w)
	if err != nil {
		return err
	}
	if err := v.apply(ctx, w, end); err != nil {
		return err
	}
	if err := v.Samples.Post(ctx, v.Outbox, v.model.State()); err != nil {
		v.Log.Warn("sync sample not uploaded", "window", w, "err", err) // a checkpoint may be due all the same
	}
	if v.model.Step()%v.Params.CheckpointFrequency == 0 || v.model.Next() == v.stop {
		v.owed = true
	}
	if err := v.checkpoint(ctx); err != nil {
		return err
	}
	if err := v.Outbox.Prune(ctx, v.model.Next()); err != nil {
		v.Log.Warn("old objects not deleted", "err", err) // they are tried again
	}
	return nil
}

// apply applies the Aggregate by which the window was judged, or the one published since.
func (v *Validator) apply(ctx context.Context, w protocol.Window, end chain.Block) error {
	committed := func(a *run.Aggregate, hash protocol.Hash, size int64) error {
		v.Events.Emit(a.Window, mailbox.Applied(a, hash, v.model.StateHash(), v.model.Step()-1, size))
		v.audit(ctx, a)
		v.absent.Add(a)
		return nil
	}
	if s := v.judged; s != nil && s.plan.Window == w && s.aggregate != nil {
		if err := v.model.Commit(s.aggregate.Aggregate, s.aggregate.hash); err != nil {
			return err
		}
		return committed(s.aggregate.Aggregate, s.aggregate.hash, s.aggregate.size)
	}
	done, err := v.model.Follow(ctx, v.Source, w+1, v.Schedule.AggregateDeadline(end), committed)
	if err == nil && !done {
		err = fmt.Errorf("no aggregate of window %d yet", w)
	}
	return err
}
