package validator

import (
	"cmp"
	"context"
	"slices"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/evaluation"
	"templar/internal/exchange"
	"templar/internal/peers"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// session is what a validator gathers about one window before it closes the books.
type session struct {
	plan      evaluation.Plan
	end       chain.Block // the first block after the window
	aggregate *applicable // nil when it was not there in time
	state     protocol.Hash
	selected  map[protocol.UID]bool // the window's peer list
	same      map[protocol.UID]bool // who signed the same state before the window
	payloads  []exchange.Payload
	seen      []score.Observation // one for each candidate and each known miner
}

func (s *session) payload(uid protocol.UID) *exchange.Payload {
	for i := range s.payloads {
		if s.payloads[i].Peer.UID == uid {
			return &s.payloads[i]
		}
	}
	return nil
}

// gather learns everything about window w that is to be had: the Aggregate, who is drawn
// for evaluation, their gradients and those of the window's peers.
func (v *Validator) gather(ctx context.Context, w protocol.Window) (*session, error) {
	v.Phase(w, "gathering")
	s, err := v.open(ctx, w)
	if err != nil {
		return nil, err
	}
	x := v.Exchange
	all := x.Directory.Candidates()
	drawn := peers.DrawEvaluations(v.waiting(all), x.Params.UIDsPerWindow, s.plan.Seed, w)
	for _, p := range v.Selected(ctx, w, v.cfg) {
		s.selected[p.UID] = true
	}
	wanted := slices.DeleteFunc(slices.Clone(all), func(p directory.Peer) bool {
		return !s.selected[p.UID] && !slices.Contains(drawn, p.UID)
	})
	if err := v.fetch(ctx, s, wanted); err != nil {
		return nil, err
	}
	v.observe(ctx, s, all, drawn)
	return s, nil
}

// open looks up what the window is judged from: block hashes, and the Aggregate.
func (v *Validator) open(ctx context.Context, w protocol.Window) (*session, error) {
	x := v.Exchange
	first, err := x.AwaitWindow(ctx, w)
	if err != nil {
		return nil, err
	}
	end, err := x.EndOf(ctx, w)
	if err != nil {
		return nil, err
	}
	seed, err := x.EvaluationSeed(ctx, end)
	if err != nil {
		return nil, err
	}
	s := &session{
		plan: evaluation.Plan{Window: w, Step: v.model.Step(), First: first.Hash, Seed: seed},
		end:  end, state: v.model.StateHash(), selected: make(map[protocol.UID]bool), same: make(map[protocol.UID]bool),
	}
	s.aggregate, err = v.lookAhead(ctx, w)
	return s, err
}

// applicable is an Aggregate that follows the committed state.
type applicable struct {
	*wire.Aggregate
	hash protocol.Hash
	size int64
}

// lookAhead fetches the Aggregate of w, which says whose gradients make the window. At this
// distance it should be there: while it is not, the validator judges by its own gather.
func (v *Validator) lookAhead(ctx context.Context, w protocol.Window) (*applicable, error) {
	x := v.Exchange
	a, hash, size, verdict := x.FetchAggregate(ctx, w, x.Clock.Now().Add(x.Params.Gather()))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	err := error(nil)
	if verdict.OK() {
		err = v.model.Check(a)
	}
	if !verdict.OK() || err != nil {
		v.Log.Warn("no aggregate to go by: judging by the own gather alone", "window", w, "verdict", verdict.String(), "err", err)
		return nil, nil
	}
	return &applicable{a, hash, size}, nil
}

// fetch gathers with the same time rule as the aggregator's. What the Aggregate was made
// from counts as the Aggregate names it, whatever this validator could still read: all
// validators then measure the same gradients, and a store that fails later costs nobody.
func (v *Validator) fetch(ctx context.Context, s *session, wanted []directory.Peer) error {
	x, w := v.Exchange, s.plan.Window
	began := x.Clock.Now()
	s.payloads = x.Gather(ctx, w, wanted, x.Params.UploadBounds(s.end.Time), began.Add(x.Params.PeerGather()))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.StoreGather(ctx, w, s.payloads, v.cfg)
	v.complete(ctx, s)
	verdicts, size := exchange.PeerVerdicts(s.payloads)
	v.Report.Emit(w, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: x.Clock.Now().Sub(began)})
	return nil
}

// complete takes from the archive the gradients that the Aggregate names and the own
// gather has not, or has another in their place.
func (v *Validator) complete(ctx context.Context, s *session) {
	if s.aggregate == nil {
		return
	}
	included := s.aggregate.Included
	v.Exchange.Clock.Each(len(included), len(included), func(i int) {
		in := included[i]
		p := s.payload(in.UID)
		if p == nil || p.Peer.Hotkey != in.Hotkey || p.Verdict.OK() && p.Content == in.Content {
			return
		}
		if g, verdict := v.Exchange.Archived(ctx, s.plan.Window, in); verdict.OK() {
			p.Verdict, p.Gradient, p.Content, p.Raw = verdict, g, in.Content, nil
		}
	})
}

// observe notes what was seen of each candidate, and of those without a bucket that can be
// read who are known, and so as idle as who uploads nothing, or have a known miner's uid:
// unseen they would be paid for what it earned.
func (v *Validator) observe(ctx context.Context, s *session, all []directory.Peer, drawn []protocol.UID) {
	x := v.Exchange
	active := v.activeMiners(ctx, all, x.Params.WindowOf(s.end.Number))
	candidate := make(map[protocol.Hotkey]bool, len(all))
	for _, p := range all {
		candidate[p.Hotkey] = true
		o := score.Observation{UID: p.UID, Hotkey: p.Hotkey, Drawn: slices.Contains(drawn, p.UID), Active: active[p.UID]}
		if got := s.payload(p.UID); got != nil {
			o.Verdict = got.Verdict
			o.Active = o.Active || got.Verdict.OK()
		}
		s.seen = append(s.seen, o)
	}
	for _, p := range x.Directory.Peers() {
		concerns := func(r score.Record) bool { return r.Hotkey == p.Hotkey || r.UID == p.UID }
		if !candidate[p.Hotkey] && slices.ContainsFunc(v.book.Records, concerns) {
			s.seen = append(s.seen, score.Observation{UID: p.UID, Hotkey: p.Hotkey, Verdict: protocol.VerdictNoBucket})
		}
	}
	slices.SortFunc(s.seen, func(a, b score.Observation) int { return cmp.Compare(a.UID, b.UID) })
}

// waiting tells for how long each candidate was not drawn; a newcomer counts as if it
// had waited since the run began.
func (v *Validator) waiting(all []directory.Peer) []peers.Waiting {
	out := make([]peers.Waiting, len(all))
	for i, p := range all {
		out[i] = peers.Waiting{UID: p.UID, Windows: v.model.Step()}
		if r, ok := v.book.Record(p.Hotkey); ok {
			out[i].Windows = r.Waiting
		}
	}
	return out
}
