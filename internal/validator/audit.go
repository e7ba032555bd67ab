package validator

import (
	"context"
	"fmt"

	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// audit recomputes an Aggregate from the gradients that it names, and logs an error when
// the published sum differs or a named gradient is not available. Gradients come from this
// validator's own gather of the window, and otherwise from the archive or the miner's bucket: an aggregator that
// stops after it has published leaves an archive with gaps. A window that was not gathered is not audited.
func (v *Validator) audit(ctx context.Context, a *run.Aggregate) {
	if v.judged == nil || v.judged.plan.Window != a.Window {
		return
	}
	if fault := v.unclosed(a); fault != "" {
		v.Log.Error("the aggregate is wrong: "+fault, "window", a.Window, "hotkey", a.Aggregator)
		v.Events.Emit(a.Window, telemetry.Audited{})
		return
	}
	if len(a.Included) == 0 {
		return
	}
	sum := v.Source.Aggregates.Sum(ctx, a, func(in wire.Included) *run.Gradient { return v.held(ctx, a.Window, in) })
	if sum.Unread > 0 {
		return // undecided: some gradients could not be read
	}
	for _, h := range sum.Hidden {
		v.Log.Error("the aggregate is wrong: it names a gradient that is neither in the archive nor in its miner's bucket", "window", a.Window, "hotkey", a.Aggregator, "uid", h.UID, "verdict", h.Verdict)
	}
	honest := len(sum.Hidden) == 0
	if count, _ := v.Method.Differ(sum.Update, a.Update); honest && count > 0 {
		v.Log.Error("the aggregate is wrong: its update differs from that of the gradients that it names", "window", a.Window, "hotkey", a.Aggregator)
		honest = false
	}
	v.Events.Emit(a.Window, telemetry.Audited{Honest: honest, Gradients: sum.Gradients})
}

// held returns the gradient that an Aggregate names if this validator has gathered it, or can.
func (v *Validator) held(ctx context.Context, w protocol.Window, in wire.Included) *run.Gradient {
	if p := v.judged.payload(in.UID); p != nil && p.Verdict.OK() && p.Content == in.Content && p.Peer.Hotkey == in.Hotkey {
		return p.Gradient
	}
	if g, verdict := v.Source.Aggregates.Archived(ctx, w, in); verdict.OK() {
		return g
	}
	g, _, _ := v.Gatherer.Named(ctx, w, v.Directory.Peers(), in)
	return g
}

// unclosed says what contradicts an Aggregate in the closing statement of its window; "" for nothing. A statement that
// cannot be read contradicts nothing.
func (v *Validator) unclosed(a *run.Aggregate) string {
	c := v.judged.closed
	if c == nil {
		return ""
	}
	if c.Hash != a.Closing {
		return "it names another closing statement than the bucket's"
	}
	for _, in := range a.Included {
		if !c.Lists(in) {
			return fmt.Sprintf("it includes a gradient of uid %d that the closing statement does not list", in.UID)
		}
	}
	return ""
}
