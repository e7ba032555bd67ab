package validator

import (
	"templar/internal/engine"
	"templar/internal/report"
	"templar/internal/score"
	"templar/protocol"
)

// newReport reports the observations of a window and their effect on the scores.
func (v *Validator) newReport(s *session, before score.Book, lines []score.Line, after score.Book) *report.Report {
	b := v.bench()
	r := &report.Report{
		Version: report.Version, Run: v.Hash, Start: v.model.Start(), Window: s.plan.Window, UID: v.Outbox.UID,
		State: s.state, Previous: v.model.Previous(),
		First: s.plan.First, End: s.end.Hash, EndTime: s.end.Time.UnixMilli(), Seed: s.plan.Seed,
		Engine: engine.Kind(v.Engine), CommonPages: b.CommonPages(s.plan), Weighed: before.Weighed,
	}
	if s.aggregate != nil {
		r.Aggregate = s.aggregate.hash
	}
	looked := make(map[protocol.Hotkey]bool, len(lines))
	for _, l := range lines {
		m := s.miner(l)
		if m.Losses != nil {
			m.OwnPages = b.OwnPages(s.plan, m.UID)
		}
		looked[m.Hotkey] = true
		r.Miners = append(r.Miners, m)
	}
	for _, rec := range after.Records {
		if !looked[rec.Hotkey] {
			r.Unseen = append(r.Unseen, rec)
		}
	}
	return r
}

// miner is the part of a report about one miner.
func (s *session) miner(l score.Line) report.Miner {
	m := report.Miner{Selected: s.selected[l.UID], Line: l}
	if p := s.payload(l.UID); p != nil {
		m.Content, m.Registered, m.Included = p.Content, p.Peer.Registered, s.includes(l.UID, p.Content)
		if !p.Stored.IsZero() {
			m.Stored = p.Stored.Unix()
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
