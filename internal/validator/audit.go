package validator

import (
	"context"

	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/wire"
)

// audit recomputes an Aggregate from the gradients that it names, and says aloud when
// the aggregator published another sum, or names what it cannot show. Gradients come
// from this validator's own gather of the window, and from the archive where it has
// others. A window that it did not gather it does not audit.
func (v *Validator) audit(ctx context.Context, a *run.Aggregate) {
	if v.judged == nil || v.judged.plan.Window != a.Window || len(a.Included) == 0 {
		return
	}
	sum := v.Source.Aggregates.Sum(ctx, a, v.held)
	if sum.Unread > 0 {
		return // cannot tell
	}
	for _, h := range sum.Hidden {
		v.Log.Error("the aggregator lied: it names a gradient that it cannot show", "window", a.Window, "hotkey", a.Aggregator, "uid", h.UID, "verdict", h.Verdict)
	}
	honest := len(sum.Hidden) == 0
	if count, _ := v.Method.Differ(sum.Update, a.Update); honest && count > 0 {
		v.Log.Error("the aggregator lied: its update is not what the gradients that it names add up to", "window", a.Window, "hotkey", a.Aggregator)
		honest = false
	}
	v.Events.Emit(a.Window, telemetry.Audited{Honest: honest, Gradients: sum.Gradients})
}

// held returns the gradient that an Aggregate names if this validator has gathered it.
func (v *Validator) held(in wire.Included) *run.Gradient {
	if p := v.judged.payload(in.UID); p != nil && p.Verdict.OK() && p.Content == in.Content && p.Peer.Hotkey == in.Hotkey {
		return p.Gradient
	}
	return nil
}
