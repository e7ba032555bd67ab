package audit

import (
	"context"
	"fmt"

	"templar/internal/run"
	"templar/internal/schedule"
	"templar/wire"
)

// sum recomputes the Aggregate's update from the archived gradients that it names.
func (a *auditor) sum(ctx context.Context) {
	const name = "update"
	fetched := 0
	s := a.aggregates().Sum(ctx, a.aggregate, func(wire.Included) *run.Gradient {
		fetched++
		a.Progress("fetching gradient %d of %d", fetched, len(a.aggregate.Included))
		return nil // only the archive counts
	})
	if len(s.Hidden) > 0 && a.aggregates().Gone(ctx, a.aggregate.Window, a.docket.Terms().Of) {
		a.add(name, Unknown, "gradients are kept for %d windows, and %d of %d are gone", schedule.PayloadRetention(a.Run.Params), len(s.Hidden), len(a.aggregate.Included))
		return
	}
	var faults []string
	for _, h := range s.Hidden {
		faults = append(faults, fmt.Sprintf("uid %d: the archived gradient %s is %v", h.UID, h.Content.Short(), h.Verdict))
	}
	if s.Unread > 0 {
		a.add(name, Unknown, "%d of %d archived gradients cannot be read", s.Unread, len(a.aggregate.Included))
		return
	}
	if len(faults) == 0 {
		if count, first := a.Run.Method.Differ(s.Update, a.aggregate.Update); count > 0 {
			faults = []string{fmt.Sprintf("%d parameters move differently from the update of the named gradients, the first in %s", count, a.Run.Space.Place(first))}
		}
	}
	a.judge(name, faults, "recomputed from %d archived gradients", s.Gradients)
}
