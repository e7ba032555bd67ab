package validator

import (
	"context"
	"fmt"

	"templar/internal/checkpoint"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
)

// checkpoint saves the committed state in the own bucket when one is due, for nodes that join
// or return. A failed checkpoint stays due, and the next window tries again.
func (v *Validator) checkpoint(ctx context.Context) error {
	if !v.owed {
		return nil
	}
	prefix, size, err := v.Saver.Save(ctx, v.Outbox.Bucket, checkpoint.State{
		Start: v.model.Start(), Next: v.model.Next(), Previous: v.model.Previous(), Term: v.model.Term(), Params: v.model.Params(),
	})
	if err != nil {
		return err
	}
	v.owed = false
	v.Events.Emit(v.model.Next()-1, telemetry.Checkpointed{Prefix: prefix, Bytes: size})
	return nil
}

// lastTries is how often the last checkpoint is tried, a block's time apart.
const lastTries = 10

// settle saves the last checkpoint if it is still due, since no later window will. A run whose
// result cannot be saved has failed.
func (v *Validator) settle(ctx context.Context) (err error) {
	for range lastTries {
		if err = v.checkpoint(ctx); err == nil {
			return nil
		}
		v.Log.Error("last checkpoint not saved, trying again", "err", err)
		if err := v.Clock.Sleep(ctx, v.Params.BlockTime()); err != nil {
			return err
		}
	}
	return fmt.Errorf("validator: last checkpoint not saved in %d tries; start it again to go on: %w", lastTries, err)
}

// catchUp applies the Aggregates before target in one step, without judging miners.
func (v *Validator) catchUp(ctx context.Context, target protocol.Window) error {
	target = min(target, v.stop)
	end, err := v.Schedule.EndOf(ctx, target-1)
	if err != nil {
		return err
	}
	done, err := v.model.Follow(ctx, v.Source, target, v.Schedule.AggregateDeadline(end), func(a *run.Aggregate, hash protocol.Hash, size int64) error {
		v.Events.Emit(a.Window, mailbox.Applied(a, hash, v.model.StateHash(), v.model.Step()-1, size))
		v.owed = v.owed || v.model.Step()%v.Params.CheckpointFrequency == 0 || v.model.Next() == v.stop
		return nil
	})
	if err == nil {
		err = v.checkpoint(ctx)
	}
	if err == nil && !done {
		err = fmt.Errorf("no aggregate of window %d yet", v.model.Next())
	}
	return err
}
