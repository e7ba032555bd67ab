package validator

import (
	"context"
	"slices"

	"templar/internal/chain"
	"templar/internal/exchange"
	"templar/internal/peers"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// session is what a validator gathers about one window before it closes the books.
type session struct {
	window   protocol.Window
	end      chain.Block   // the first block after the window
	seed     protocol.Hash // drawn after the upload deadline
	payloads []exchange.Payload
	drawn    map[protocol.UID]bool // to be evaluated
	seen     []score.Observation   // one for each candidate and each known miner
}

func (s *session) payload(uid protocol.UID) *exchange.Payload {
	for i := range s.payloads {
		if s.payloads[i].Peer.UID == uid {
			return &s.payloads[i]
		}
	}
	return nil
}

// open draws whom to evaluate and gathers their gradients, and those of the window's
// peers, with the same time rule as the aggregator's.
func (v *Validator) open(ctx context.Context, w protocol.Window) (*session, error) {
	x := v.Exchange
	v.Phase(w, "gathering")
	end, err := x.EndOf(ctx, w)
	if err != nil {
		return nil, err
	}
	seed, err := x.EvaluationSeed(ctx, end)
	if err != nil {
		return nil, err
	}
	all := x.Directory.Candidates()
	s := &session{window: w, end: end, seed: seed, drawn: make(map[protocol.UID]bool)}
	for _, uid := range peers.DrawEvaluations(v.waiting(all), x.Params.UIDsPerWindow, seed, w) {
		s.drawn[uid] = true
	}
	selected := v.Selected(ctx, w, v.cfg)
	var wanted []exchange.Peer
	for _, p := range all {
		if s.drawn[p.UID] || slices.ContainsFunc(selected, func(q exchange.Peer) bool { return q.UID == p.UID }) {
			wanted = append(wanted, p)
		}
	}
	if err := v.gather(ctx, s, wanted); err != nil {
		return nil, err
	}
	active := v.active.check(ctx, x, all, x.Params.WindowOf(end.Number))
	for _, p := range all {
		o := score.Observation{UID: p.UID, Hotkey: p.Hotkey, Drawn: s.drawn[p.UID], Active: active[p.UID]}
		if got := s.payload(p.UID); got != nil {
			o.Verdict = got.Verdict
			o.Active = o.Active || got.Verdict.OK()
		}
		s.seen = append(s.seen, o)
	}
	v.absent(s)
	return s, nil
}

// absent observes the miners that are known and registered but no candidates any more:
// without a bucket that can be read they are as idle as those who upload nothing.
func (v *Validator) absent(s *session) {
	for _, p := range v.Exchange.Directory.Peers() {
		_, known := v.book.Record(p.Hotkey)
		seen := slices.ContainsFunc(s.seen, func(o score.Observation) bool { return o.Hotkey == p.Hotkey })
		if known && !seen {
			s.seen = append(s.seen, score.Observation{UID: p.UID, Hotkey: p.Hotkey, Verdict: protocol.VerdictNoBucket})
		}
	}
}

func (v *Validator) gather(ctx context.Context, s *session, wanted []exchange.Peer) error {
	x := v.Exchange
	began := x.Clock.Now()
	s.payloads = x.Gather(ctx, s.window, wanted, x.Params.UploadBounds(s.end.Time), began.Add(x.Params.PeerGather()))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	verdicts, size := exchange.PeerVerdicts(s.payloads)
	v.Report.Emit(s.window, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: x.Clock.Now().Sub(began)})
	if !v.cfg.StoreGathers {
		return nil
	}
	return exchange.Keep(ctx, v.Local, s.window, s.payloads)
}

// waiting tells for how long each candidate was not drawn; a newcomer counts as if it
// had waited since the run began.
func (v *Validator) waiting(all []exchange.Peer) []peers.Waiting {
	out := make([]peers.Waiting, len(all))
	for i, p := range all {
		out[i] = peers.Waiting{UID: p.UID, Windows: v.model.Step()}
		if r, ok := v.book.Record(p.Hotkey); ok {
			out[i].Windows = r.Waiting
		}
	}
	return out
}
