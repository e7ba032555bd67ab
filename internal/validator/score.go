package validator

import (
	"context"
	"fmt"

	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// score judges window w and closes the books on it. The scores are durable before they
// are told to anyone.
func (v *Validator) score(ctx context.Context, w protocol.Window) (*session, error) {
	s, err := v.gather(ctx, w)
	if err != nil {
		return nil, err
	}
	v.compare(ctx, s)
	if err := v.evaluate(ctx, s); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	v.Events.Phase(w, "scoring")
	book, closed, err := v.book.Close(w, s.seen, v.Params)
	if err != nil {
		return nil, err
	}
	v.keepReport(ctx, v.newReport(s, v.book, closed, book))
	if err := v.saveBook(ctx, book); err != nil {
		return nil, err
	}
	v.book = book
	v.reportScores(w, closed)
	return s, nil
}

func (v *Validator) reportScores(w protocol.Window, r score.Report) {
	weights := v.book.Weights(v.Params.PowerNormalisation)
	share := make(map[protocol.UID]float64, len(weights))
	for _, e := range weights {
		share[e.UID] = e.Share
	}
	var out telemetry.Scored
	for _, l := range r.Lines {
		m := telemetry.MinerScore{
			UID: l.After.UID, Hotkey: l.After.Hotkey, Evaluated: l.Evaluated, GradientScore: l.After.GradientScore,
			Mu: l.After.Mu, Sigma: l.After.Sigma, Ordinal: l.After.Ordinal(), BinaryAverage: l.After.BinaryAverage,
			SyncScore: l.After.SyncScore, Final: l.After.Final, Weight: share[l.After.UID],
		}
		for _, reason := range l.Reasons {
			m.Notes = append(m.Notes, reason.String())
		}
		out.Miners = append(out.Miners, m)
	}
	v.Events.Emit(w, out)
}
