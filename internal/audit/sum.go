package audit

import (
	"context"
	"fmt"

	"templar/codec"
	"templar/protocol"
)

// sum computes the Aggregate's update again from the archived gradients that it names.
func (a *auditor) sum(ctx context.Context) {
	const name = "update"
	var bodies []*codec.Gradient
	var faults []string
	unknown := 0
	for i, in := range a.aggregate.Included {
		a.Progress("fetching gradient %d of %d", i+1, len(a.aggregate.Included))
		g, verdict := a.aggregates().Archived(ctx, a.Options.Window, in)
		switch {
		case verdict.OK():
			bodies = append(bodies, g.Body)
		case verdict == protocol.VerdictUnreachable:
			unknown++
		default:
			faults = append(faults, fmt.Sprintf("uid %d: the archived gradient %s is %v", in.UID, in.Content.Short(), verdict))
		}
	}
	if unknown > 0 {
		a.add(name, Unknown, "%d of %d archived gradients cannot be read", unknown, len(a.aggregate.Included))
		return
	}
	if len(faults) == 0 && len(bodies) > 0 {
		a.Progress("adding up %d gradients", len(bodies))
		faults = a.compare(a.Run.Codec.Aggregate(bodies))
	}
	a.judge(name, faults, "recomputed from %d archived gradients", len(bodies))
}

// compare says where the Aggregate's update differs from ours.
func (a *auditor) compare(ours *codec.Update) []string {
	if ours.Equal(a.aggregate.Update) {
		return nil
	}
	count, first := 0, -1
	for i := range a.Run.Codec.Layout().Size() {
		if a.Run.Codec.Sign(ours, i) != a.Run.Codec.Sign(a.aggregate.Update, i) {
			if count++; first < 0 {
				first = i
			}
		}
	}
	return []string{fmt.Sprintf("%d parameters move otherwise than the named gradients say, the first in %s", count, a.place(first))}
}

// place names a parameter.
func (a *auditor) place(i int) string {
	for _, t := range a.Run.Codec.Layout() {
		if i >= t.Offset && i < t.Offset+t.Size() {
			return fmt.Sprintf("%s at %d", t.Name, i-t.Offset)
		}
	}
	return "no tensor"
}
