package validator

import (
	"context"
	"fmt"

	"templar/internal/checkpoint"
	"templar/internal/telemetry"
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
	done, err := v.model.Follow(ctx, x, w+1, x.AggregateDeadline(end), func(a *wire.Aggregate, hash protocol.Hash, size int64) error {
		v.Applied(v.model, a, hash, size)
		v.audit(ctx, a)
		return nil
	})
	if err != nil {
		return err
	}
	if !done {
		return fmt.Errorf("no aggregate of window %d yet", w)
	}
	v.mu.Lock()
	v.mu.status.UID, v.mu.status.Window = x.UID, v.model.Next()
	v.mu.Unlock()
	if err := x.PutSample(ctx, w, v.model.Step(), v.model.Previous(), v.model.Params()); err != nil {
		v.Log.Warn("sync sample not uploaded", "window", w, "err", err) // a checkpoint may be due all the same
	}
	if v.model.Step()%x.Params.CheckpointFrequency == 0 || v.model.Next() == v.stop {
		if err := v.checkpoint(ctx); err != nil {
			return err
		}
	}
	return x.PruneOwn(ctx, v.model.Next())
}

// checkpoint saves the committed state in the own bucket, for whoever joins or returns.
func (v *Validator) checkpoint(ctx context.Context) error {
	x := v.Exchange
	prefix, size, err := checkpoint.Save(ctx, x.Own, x.Run, checkpoint.State{
		Start: v.model.Start(), Next: v.model.Next(), Previous: v.model.Previous(), Params: v.model.Params(),
	}, x.Signer)
	if err != nil {
		return err
	}
	v.Report.Emit(v.model.Next()-1, telemetry.Checkpointed{Prefix: prefix, Bytes: size})
	return nil
}
