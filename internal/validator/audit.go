package validator

import (
	"context"
	"errors"
	"fmt"

	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

var (
	// errFalse is wrapped when an Aggregate was found to be false: it is charged, and not applied.
	errFalse = errors.New("the aggregate is false")
	// errUndecided is wrapped while gradients that an Aggregate names cannot be read.
	errUndecided = errors.New("the aggregate cannot be recomputed yet")
)

// examine recomputes an Aggregate before it is applied and its state is signed. Gradients come from this
// validator's own gather of the window, and otherwise from the archive. One that is false is charged,
// unless more than half of the stake has signed the state after it: then this validator follows.
func (v *Validator) examine(ctx context.Context, a *applicable, current protocol.Window) error {
	if v.passed == a.hash {
		return nil
	}
	reason, accused := v.fault(ctx, a, current)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case reason == undecided:
		return fmt.Errorf("window %d: %w", a.Window, errUndecided)
	case reason == gone:
		v.Log.Warn("the gradients of a window are past their retention: its aggregate is applied, and the state after it not signed", "window", a.Window)
		v.unsigned = a.hash
		return nil
	case reason == "":
		v.passed = a.hash
		return nil
	}
	validators := v.Directory.Validators()
	if 2*v.Samples.Applied(ctx, validators, a.Window, a.hash) > directory.Stake(validators) {
		v.Log.Error("this validator finds an aggregate false that most of the stake has applied: following it", "window", a.Window, "reason", string(reason))
		v.passed = a.hash
		return nil
	}
	v.Log.Error("the aggregate is false", "window", a.Window, "hotkey", a.Aggregator, "reason", string(reason))
	v.Events.Emit(a.Window, telemetry.Audited{Gradients: len(a.Included)})
	c := wire.Charge{Term: a.Term, Window: a.Window, Reason: reason, Accused: accused, Content: a.hash}
	if reason == wire.ReasonChain && a.Previous != v.model.Previous() {
		proof, replaced := v.replaced(ctx, a)
		switch {
		case proof != nil:
			c = *proof
		case replaced: // by one that follows from nothing this node can prove: the validators' signatures decide
			return fmt.Errorf("window %d: %w", a.Window, errFalse)
		}
	}
	if err := v.charge(ctx, c); err != nil {
		return err
	}
	return fmt.Errorf("window %d: %w", a.Window, errFalse)
}

// replaced reports whether the Aggregate of the window before is now the one that a follows, and no longer the one
// that was applied. Then a may be true, and the two are a proof. The word of a alone is none: an aggregator could
// make the Aggregates of others void by naming another predecessor.
func (v *Validator) replaced(ctx context.Context, a *applicable) (proof *wire.Charge, replaced bool) {
	now, hash, _, verdict := v.Source.Aggregates.Fetch(ctx, a.Window-1, v.model.Term(), v.Clock.Now().Add(v.Params.Gather()))
	if !verdict.OK() || hash != a.Previous {
		return nil, false
	}
	return v.Samples.Conflict(v.model.State().Issue, now.Issue), true
}

// In place of a reason: gradients may come yet, or they have been deleted as past their retention.
const (
	undecided wire.Reason = "undecided"
	gone      wire.Reason = "gone"
)

// fault returns why an Aggregate is false, empty when it is not, and its aggregator where what that has signed shows
// it. Objects of a bucket in which others write show nothing against it. Payloads may be missing until the end
// of the window after the one in which they are first asked for.
func (v *Validator) fault(ctx context.Context, a *applicable, current protocol.Window) (reason wire.Reason, accused protocol.Hotkey) {
	if err := v.model.Check(a.Aggregate); err != nil {
		v.Log.Error("the aggregate does not follow the chain", "window", a.Window, "err", err)
		if before := v.model.State().Issue.Aggregator; a.Previous != v.model.Previous() && before != a.Aggregator {
			return wire.ReasonChain, accused // the one before may have replaced its own
		}
		return wire.ReasonChain, a.Aggregator
	}
	if v.judged != nil && v.judged.plan.Window == a.Window {
		v.settleClosing(ctx, v.judged, a.Aggregate)
		if c := v.judged.closed; c != nil && c.Hash != a.Closing {
			v.Log.Error("the aggregate names another closing statement than the bucket's, and none that a miner keeps", "window", a.Window, "hotkey", a.Aggregator)
			return wire.ReasonChain, accused
		}
		if fault := v.unclosed(a.Aggregate); fault != "" {
			v.Log.Error("the aggregate contradicts the closing statement: "+fault, "window", a.Window, "hotkey", a.Aggregator)
			return wire.ReasonChain, a.Aggregator
		}
	}
	sum := v.Source.Aggregates.Sum(ctx, a.Aggregate, func(in wire.Included) *run.Gradient { return v.held(ctx, a.Window, in) })
	for _, h := range sum.Hidden {
		v.Log.Warn("the aggregate names a gradient that is neither in the archive nor in its miner's bucket", "window", a.Window, "hotkey", a.Aggregator, "uid", h.UID, "verdict", h.Verdict)
	}
	if sum.Unread > 0 || len(sum.Hidden) > 0 {
		switch {
		case current <= v.payloadsDue(a.Window):
			return undecided, accused
		case sum.Unread == 0 && v.Source.Aggregates.Gone(ctx, a.Window, v.term):
			return gone, accused
		}
		return wire.ReasonPayloads, accused
	}
	if count, _ := v.Method.Differ(sum.Update, a.Update); count > 0 {
		v.Log.Error("the aggregate's update differs from that of the gradients that it names", "window", a.Window, "hotkey", a.Aggregator)
		return wire.ReasonUpdate, a.Aggregator
	}
	v.Events.Emit(a.Window, telemetry.Audited{Honest: true, Gradients: sum.Gradients, LeftOut: v.leftOut(a)})
	return "", accused
}

// payloadsDue is the last window in which payloads of w may be missing.
func (v *Validator) payloadsDue(w protocol.Window) protocol.Window {
	return w + protocol.Window(v.Params.ValidatorOffset) + 1
}

// leftOut returns the valid gradients of selected peers that the Aggregate leaves out. That is held
// against the aggregator, and makes no Aggregate false: this validator may have read a gradient that the
// aggregator could not.
func (v *Validator) leftOut(a *applicable) (out []protocol.UID) {
	if v.judged == nil || v.judged.plan.Window != a.Window {
		return nil
	}
	for _, p := range v.judged.payloads {
		if p.Verdict.OK() && v.judged.selected[p.Peer.UID] && !v.judged.includes(p.Peer.UID, p.Content) {
			out = append(out, p.Peer.UID)
		}
	}
	return out
}

// held returns the gradient that an Aggregate names if this validator has gathered it, or can: from the archive or,
// as an aggregator that stops after it has published leaves an archive with gaps, from the miner's bucket.
func (v *Validator) held(ctx context.Context, w protocol.Window, in wire.Included) *run.Gradient {
	if v.judged != nil && v.judged.plan.Window == w {
		if p := v.judged.payload(in.UID); p != nil && p.Verdict.OK() && p.Content == in.Content && p.Peer.Hotkey == in.Hotkey {
			return p.Gradient
		}
	}
	if g, verdict := v.Source.Aggregates.Archived(ctx, w, in); verdict.OK() {
		return g
	}
	g, _, _ := v.Gatherer.Named(ctx, w, v.Directory.Peers(), in)
	return g
}

// unclosed says what contradicts an Aggregate in the closing statement that it names; "" for nothing. A statement that
// cannot be read contradicts nothing.
func (v *Validator) unclosed(a *run.Aggregate) string {
	c := v.judged.closed
	if c == nil {
		return ""
	}
	for _, in := range a.Included {
		if !c.Lists(in) {
			return fmt.Sprintf("it includes a gradient of uid %d that the closing statement does not list", in.UID)
		}
	}
	return ""
}
