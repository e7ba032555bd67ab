package validator

import (
	"templar/internal/report"
	"templar/internal/score"
	"templar/protocol"
)

// newReport writes down what was seen in a window and what it did to the scores.
func (v *Validator) newReport(s *session, before score.Book, closed score.Report, after score.Book) *report.Report {
	b := v.bench()
	r := &report.Report{
		Version: report.Version, Run: v.Hash, Start: v.model.Start(), Window: s.plan.Window, UID: v.Outbox.UID,
		State: s.state, Previous: v.model.Previous(),
		First: s.plan.First, End: s.end.Hash, EndTime: s.end.Time.UnixMilli(), Seed: s.plan.Seed,
		CommonPages: b.CommonPages(s.plan), Weighed: before.Weighed,
	}
	if s.aggregate != nil {
		r.Aggregate = s.aggregate.hash
	}
	share := make(map[protocol.UID]float64)
	for _, w := range after.Weights(v.Params.PowerNormalisation) {
		share[w.UID] = w.Share
	}
	looked := make(map[protocol.Hotkey]bool, len(closed.Lines))
	for i, l := range closed.Lines { // in the order of s.seen
		m := s.miner(&s.seen[i], l)
		if m.Losses != nil {
			m.OwnPages = b.OwnPages(s.plan, m.UID())
		}
		m.Weight = share[m.UID()]
		looked[m.Hotkey()] = true
		r.Miners = append(r.Miners, m)
	}
	for _, rec := range after.Records {
		if !looked[rec.Hotkey] {
			r.Unseen = append(r.Unseen, rec)
		}
	}
	return r
}

// miner is what a report says of one miner.
func (s *session) miner(o *score.Observation, l score.Line) report.Miner {
	m := report.Miner{Selected: s.selected[o.UID], Drawn: o.Drawn, Active: o.Active, Verdict: o.Verdict, Line: l}
	if p := s.payload(o.UID); p != nil {
		m.Content, m.Registered, m.Included = p.Content, p.Peer.Registered, s.includes(o.UID, p.Content)
		if !p.Stored.IsZero() {
			m.Stored = p.Stored.Unix()
		}
	}
	if c := o.Copy; c != nil {
		m.Copy = &report.Copy{Of: c.Of, Indices: report.Number(c.Indices), Values: report.Number(c.Values)}
	}
	if o.Sync != nil {
		m.Sync = &report.Sync{Verdict: o.Sync.Verdict, Steps: report.Number(o.Sync.MeanAbsSteps), Same: s.same[o.UID]}
	}
	if e := o.Eval; e != nil {
		m.Losses = &report.Losses{
			OwnBefore: report.Number(e.OwnBefore), OwnAfter: report.Number(e.OwnAfter),
			RandomBefore: report.Number(e.RandomBefore), RandomAfter: report.Number(e.RandomAfter),
		}
	}
	return m
}

// includes reports whether the Aggregate was made from just this gradient.
func (s *session) includes(uid protocol.UID, content protocol.Hash) bool {
	if s.aggregate == nil {
		return false
	}
	for _, in := range s.aggregate.Included {
		if in.UID == uid {
			return in.Content == content
		}
	}
	return false
}
