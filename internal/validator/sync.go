package validator

import (
	"context"
	"math"

	"templar/internal/exchange"
	"templar/internal/score"
	"templar/protocol"
)

// compareSamples holds the sync samples of the window before against this validator's
// parameters, which stand after it. In the run's first window there are none.
func (v *Validator) compareSamples(ctx context.Context, s *session) {
	x := v.Exchange
	if s.window == v.model.Start() {
		return
	}
	v.Phase(s.window, "comparing")
	due, err := x.SamplesDue(ctx, s.window-1)
	early := err != nil || x.Clock.Now().Before(due)
	got := make([]*score.SyncObservation, len(s.seen))
	x.Clock.Each(len(s.seen), len(s.seen), func(i int) {
		if p := s.payload(s.seen[i].UID); p != nil {
			got[i] = v.compareSample(ctx, p.Peer, s.window-1)
		}
		if early && got[i] != nil && got[i].Verdict == protocol.VerdictMissing {
			got[i] = nil
		}
	})
	for i := range s.seen {
		s.seen[i].Sync = got[i]
	}
}

func (v *Validator) compareSample(ctx context.Context, p exchange.Peer, w protocol.Window) *score.SyncObservation {
	x := v.Exchange
	sample, verdict := x.Sample(ctx, p, w)
	if !verdict.OK() {
		return &score.SyncObservation{Verdict: verdict}
	}
	if sample.Aggregate != v.model.Previous() {
		v.Log.Warn("a miner says that it applied another aggregate: it lies, or the aggregator signed two", "window", w, "uid", p.UID,
			"theirs", sample.Aggregate.Short(), "ours", v.model.Previous().Short())
	}
	end, err := x.EndOf(ctx, w)
	if err != nil {
		return nil // our own fault: no observation
	}
	ours := x.SampleOf(v.model.Params(), end, p.Hotkey)
	lr := x.Params.LearningRateAt(v.model.Step() - 1)
	return &score.SyncObservation{Verdict: protocol.VerdictOK, MeanAbsSteps: meanSteps(ours, sample.Values, lr)}
}

// meanSteps is the mean of |ours - theirs| / lr.
func meanSteps(ours, theirs []float32, lr float64) float64 {
	sum := 0.0
	for i := range ours {
		sum += math.Abs(float64(ours[i]) - float64(theirs[i]))
	}
	return sum / float64(len(ours)) / lr
}
