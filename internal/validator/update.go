package validator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"templar/internal/chain"
	"templar/protocol"
	"templar/wire"
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
	switch err := v.apply(ctx, w, end); {
	case errors.Is(err, errFalse) || errors.Is(err, errUndecided):
		v.Log.Info("waiting before an aggregate is applied", "window", w, "why", err)
		return v.Clock.Sleep(ctx, v.Params.BlockTime())
	case err != nil:
		return err
	}
	if v.model.Previous() != v.unsigned {
		if err := v.Samples.Post(ctx, v.Outbox, v.model.State()); err != nil {
			v.Log.Warn("sync sample not uploaded", "window", w, "err", err) // a checkpoint may be due all the same
		}
	}
	if v.model.Step()%v.Params.CheckpointFrequency == 0 || v.model.Next() == v.stop {
		v.owed = true
	}
	if err := v.checkpoint(ctx); err != nil {
		return err
	}
	if err := v.finals.Keep(ctx, v.model); err != nil {
		v.Log.Warn("what is final is not durable", "window", w, "err", err)
	}
	if err := v.Outbox.Prune(ctx, v.model.Next()); err != nil {
		v.Log.Warn("old objects not deleted", "err", err) // they are tried again
	}
	return nil
}

// apply applies the Aggregate by which the window was judged, or the one published since, if this
// validator finds that it is not false.
func (v *Validator) apply(ctx context.Context, w protocol.Window, end chain.Block) error {
	current, err := v.Schedule.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	term := v.term(w)
	deadline := v.Schedule.AggregateDeadline(end)
	if soon := v.Clock.Now().Add(v.Params.Gather()); soon.After(deadline) {
		deadline = soon
	}
	a, err := v.published(ctx, w, term, deadline)
	if err != nil {
		return err
	}
	if a == nil {
		if err := v.chargeAbsence(ctx, w, current, term); err != nil {
			return err
		}
		return fmt.Errorf("no aggregate of window %d yet", w)
	}
	if err := v.examine(ctx, a, current); err != nil {
		return err
	}
	if err := v.model.Commit(a.Aggregate, a.hash); err != nil {
		return err
	}
	v.absent.Add(a.Aggregate)
	v.model.Committed(ctx, v.Source)
	v.Events.Emit(w, v.model.Applied(a.Aggregate, a.hash, a.size))
	return nil
}

// term is that of the Aggregate of w, which is the next.
func (v *Validator) term(w protocol.Window) protocol.Term {
	return v.Source.Docket.Terms().Of(w)
}

// published returns the Aggregate of w by which the window was judged, or the one in the bucket; nil when
// there is none by the deadline. An object that is no Aggregate is charged.
func (v *Validator) published(ctx context.Context, w protocol.Window, t protocol.Term, deadline time.Time) (*applicable, error) {
	if s := v.judged; s != nil && s.plan.Window == w && s.aggregate != nil && s.aggregate.Term == t {
		return s.aggregate, nil
	}
	a, hash, size, verdict := v.Source.Aggregates.Fetch(ctx, w, t, deadline)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case verdict == protocol.VerdictMissing || verdict == protocol.VerdictUnreachable:
		return nil, nil
	case !verdict.OK():
		v.Log.Error("the aggregate cannot be used", "window", w, "verdict", verdict.String())
		err := v.charge(ctx, wire.Charge{Term: t, Window: w, Reason: wire.ReasonChain})
		return nil, errors.Join(err, fmt.Errorf("window %d: %w", w, errFalse))
	}
	return &applicable{a, hash, size}, nil
}
