package validator

import (
	"templar/codec"
	"templar/internal/telemetry"
	"templar/wire"
)

// audit recomputes an Aggregate from the payloads that it names, when this validator
// gathered all of them, and says aloud when the aggregator published another sum.
func (v *Validator) audit(a *wire.Aggregate) {
	s := v.judged
	if s == nil || s.window != a.Window || len(a.Included) == 0 {
		return
	}
	var bodies []*codec.Gradient
	for _, in := range a.Included {
		p := s.payload(in.UID)
		if p == nil || p.Content != in.Content {
			return // cannot tell
		}
		bodies = append(bodies, p.Gradient.Body)
	}
	honest := v.Exchange.Codec.Aggregate(bodies).Equal(a.Update)
	v.Report.Emit(a.Window, telemetry.Audited{Honest: honest, Gradients: len(bodies)})
}
