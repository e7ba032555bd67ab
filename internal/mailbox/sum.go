package mailbox

import (
	"context"

	"templar/internal/run"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// Reduce makes the update of a window's gradients, which stand in ascending uid; nil of none.
// Everything that makes or recomputes an update goes through it.
func Reduce(r method.Reducer, gradients []*run.Gradient) method.Update {
	payloads := make([]method.Payload, len(gradients))
	for i, g := range gradients {
		payloads[i] = g.Payload
	}
	return r.Reduce(payloads)
}

// Fold reduces the usable payloads, which stand in ascending uid. It returns nil when there are
// none.
func Fold(r method.Reducer, payloads []Payload) method.Update {
	var usable []*run.Gradient
	for _, p := range payloads {
		if p.Verdict.OK() {
			usable = append(usable, p.Gradient)
		}
	}
	return Reduce(r, usable)
}

// Sum is an Aggregate's update, recomputed from the gradients that it names.
type Sum struct {
	Gradients int           // that were read
	Unread    int           // whose store did not answer: then the other fields are undefined
	Hidden    []Hidden      // those that the Aggregate names and the archive lacks
	Update    method.Update // nil unless all were read
}

// Hidden is a gradient that an Aggregate names and the archive lacks.
type Hidden struct {
	wire.Included
	Verdict protocol.Verdict
}

// Sum recomputes an Aggregate's update. The gradients come from held, which returns nil for those
// that this node does not have, and from the archive.
func (a Aggregates) Sum(ctx context.Context, agg *run.Aggregate, held func(wire.Included) *run.Gradient) (s Sum) {
	gradients := make([]*run.Gradient, 0, len(agg.Included))
	for _, in := range agg.Included {
		g, verdict := held(in), protocol.VerdictOK
		if g == nil {
			g, verdict = a.Archived(ctx, agg.Window, in)
		}
		switch {
		case verdict.OK():
			gradients = append(gradients, g)
		case verdict == protocol.VerdictUnreachable:
			s.Unread++
		default:
			s.Hidden = append(s.Hidden, Hidden{in, verdict})
		}
	}
	s.Gradients = len(gradients)
	if s.Unread == 0 && len(s.Hidden) == 0 {
		s.Update = Reduce(a.Run.Method, gradients)
	}
	return s
}
