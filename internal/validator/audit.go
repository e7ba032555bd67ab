package validator

import (
	"context"

	"templar/codec"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// audit recomputes an Aggregate from the gradients that it names, and says aloud when
// the aggregator published another sum, or names what it cannot show. Gradients come
// from this validator's own gather of the window, and from the archive where it has
// others. A window that it did not gather it does not audit.
func (v *Validator) audit(ctx context.Context, a *wire.Aggregate) {
	if v.judged == nil || v.judged.plan.Window != a.Window || len(a.Included) == 0 {
		return
	}
	honest, bodies := true, make([]*codec.Gradient, 0, len(a.Included))
	for _, in := range a.Included {
		g, verdict := v.named(ctx, a.Window, in)
		if verdict == protocol.VerdictUnreachable {
			return // cannot tell
		}
		if !verdict.OK() {
			v.Log.Error("the aggregator lied: it names a gradient that it cannot show", "window", a.Window, "hotkey", a.Aggregator, "uid", in.UID, "verdict", verdict)
			honest = false
			continue
		}
		bodies = append(bodies, g.Body)
	}
	if honest && !v.Codec.Aggregate(bodies).Equal(a.Update) {
		v.Log.Error("the aggregator lied: its update is not what the gradients that it names add up to", "window", a.Window, "hotkey", a.Aggregator)
		honest = false
	}
	v.Events.Emit(a.Window, telemetry.Audited{Honest: honest, Gradients: len(bodies)})
}

// named returns a gradient that an Aggregate names.
func (v *Validator) named(ctx context.Context, w protocol.Window, in wire.Included) (*wire.Gradient, protocol.Verdict) {
	if p := v.judged.payload(in.UID); p != nil && p.Verdict.OK() && p.Content == in.Content && p.Peer.Hotkey == in.Hotkey {
		return p.Gradient, protocol.VerdictOK
	}
	return v.Source.Aggregates.Archived(ctx, w, in)
}
