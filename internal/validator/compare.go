package validator

import (
	"context"
	"slices"

	"templar/internal/copies"
	"templar/internal/directory"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// compare compares the miners' models with the validator's, and their gradients with each
// other.
func (v *Validator) compare(ctx context.Context, s *session) {
	v.Events.Phase(s.plan.Window, "comparing")
	v.compareSamples(ctx, s)
	v.findCopies(s)
}

// compareSamples compares the sync samples of the window before with this validator's
// parameters after that window. In the run's first window there are none.
func (v *Validator) compareSamples(ctx context.Context, s *session) {
	if s.plan.Window == v.model.Start() {
		return
	}
	due := v.samplesDue()
	got := make([]*score.Sync, len(s.seen))
	v.Clock.Each(len(s.seen), len(s.seen), func(i int) {
		if p := s.payload(s.seen[i].UID); p != nil {
			got[i] = v.compareSample(ctx, p.Peer, s.plan.Window-1, s.state)
		}
		if !due && got[i] != nil && got[i].Verdict == protocol.VerdictMissing {
			got[i] = nil
		}
	})
	for i := range s.seen {
		s.seen[i].Sync = got[i]
	}
	v.reportDistances(s)
}

// samplesDue reports whether every miner can be expected to have posted its sample of the last window that is applied, whose
// Aggregate may have been late: half a window ago this validator had it, in the session before. The store's date of the Aggregate
// is no evidence: one that was sent in parts may be dated by the beginning of its upload.
func (v *Validator) samplesDue() bool {
	before := v.judged
	return before != nil && before.aggregate != nil && before.aggregate.hash == v.model.Previous() &&
		!v.Clock.Now().Before(before.readAt.Add(v.Params.WindowTime()/2))
}

func (v *Validator) reportDistances(s *session) {
	var e telemetry.Compared
	for _, o := range s.seen {
		if o.Sync != nil {
			e.Samples = append(e.Samples, telemetry.Sample{UID: o.UID, Sync: *o.Sync})
		}
	}
	if len(e.Samples) > 0 {
		v.Events.Emit(s.plan.Window-1, e)
	}
}

// compareSample measures how far a miner is from the validator's parameters, whose hash is
// state. It is nil when the measurement failed on the validator's side.
func (v *Validator) compareSample(ctx context.Context, p directory.Peer, w protocol.Window, state protocol.Hash) *score.Sync {
	sample, verdict := v.Samples.Fetch(ctx, p, w)
	if !verdict.OK() {
		return &score.Sync{Verdict: verdict}
	}
	if sample.Issue.Content != v.model.Previous() {
		v.model.Report(v.Samples.Conflict(v.model.State().Issue, sample.Issue))
		v.Log.Warn("a miner reports another aggregate: its report is false, or the aggregator signed two", "window", w, "uid", p.UID,
			"theirs", sample.Issue.Content.Short(), "ours", v.model.Previous().Short())
	}
	end, err := v.Schedule.EndOf(ctx, w)
	if err != nil {
		return nil
	}
	ours := v.Samples.Of(v.model.Params(), end, p.Hotkey)
	return &score.Sync{Verdict: protocol.VerdictOK, Distance: score.Compare(ours, sample.Values, v.Method.StepSize(v.model.Step()-1)), Same: sample.State == state}
}

// findCopies looks for gradients that are too similar, among all that were gathered. The one
// that was registered later is the copy: dates prove nothing among gradients that were unreadable before all were
// stored. Who is to blame, the scores decide (score.Close).
func (v *Validator) findCopies(s *session) {
	var uploads []copies.Upload
	for i := range s.payloads {
		if p := &s.payloads[i]; p.Verdict.OK() {
			uploads = append(uploads, copies.Upload{
				UID: p.Peer.UID, Registered: p.Peer.Registered, Payload: p.Gradient.Payload,
			})
		}
	}
	for _, c := range copies.Find(v.Method, uploads, s.plan.Seed, v.Params) {
		o := &s.seen[slices.IndexFunc(s.seen, func(o score.Observation) bool { return o.UID == c.UID })]
		o.Copy = &score.Copy{Of: c.Of, Indices: score.Number(c.Indices), Values: score.Number(c.Values)}
		v.Log.Info("a gradient is a copy", "window", s.plan.Window, "uid", c.UID, "of", c.Of, "indices", c.Indices, "values", c.Values)
	}
}
