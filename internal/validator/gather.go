package validator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/evaluation"
	"templar/internal/mailbox"
	"templar/internal/peers"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// session is what a validator gathers about one window before it closes it.
type session struct {
	plan      evaluation.Plan
	end       chain.Block     // the first block after the window
	aggregate *applicable     // nil when it was not there in time
	readAt    time.Time       // when the Aggregate was
	closed    *mailbox.Closed // nil when there is none
	state     protocol.Hash
	selected  map[protocol.UID]bool // the window's peer list
	payloads  []mailbox.Payload
	seen      []score.Observation // one for each candidate and each known miner
}

func (s *session) payload(uid protocol.UID) *mailbox.Payload {
	for i := range s.payloads {
		if s.payloads[i].Peer.UID == uid {
			return &s.payloads[i]
		}
	}
	return nil
}

// gather collects the available objects of window w: the Aggregate, and the gradients of the
// miners drawn for evaluation and of the window's peers.
func (v *Validator) gather(ctx context.Context, w protocol.Window) (*session, error) {
	v.Events.Phase(w, "gathering")
	s, err := v.open(ctx, w)
	if err != nil {
		return nil, err
	}
	all := v.Directory.Candidates()
	line := role.Lineup(ctx, v.Board, w, v.cfg, v.Log)
	for _, p := range line.Peers {
		s.selected[p.UID] = true
	}
	if s.closed != nil {
		for _, p := range mailbox.Reserves(s.closed.Closing, line.Peers, line.Reserves) {
			s.selected[p.UID] = true
		}
	}
	active := v.activeMiners(ctx, all, v.Params.WindowOf(s.end.Number))
	drawn, err := v.fetch(ctx, s, all, active)
	if err != nil {
		return nil, err
	}
	v.observe(s, all, active, drawn)
	return s, nil
}

// open reads the block hashes and the Aggregate on which the judgement rests.
func (v *Validator) open(ctx context.Context, w protocol.Window) (*session, error) {
	pages, err := v.Schedule.PageSeed(ctx, w)
	if err != nil {
		return nil, err
	}
	end, err := v.Schedule.EndOf(ctx, w)
	if err != nil {
		return nil, err
	}
	seed, err := v.Schedule.EvaluationSeed(ctx, end)
	if err != nil {
		return nil, err
	}
	s := &session{
		plan: evaluation.Plan{Window: w, Step: v.model.Step(), First: pages, Seed: seed},
		end:  end, state: v.model.StateHash(), selected: make(map[protocol.UID]bool),
	}
	if s.aggregate, err = v.lookAhead(ctx, w); err != nil {
		return nil, err
	}
	s.readAt = v.Clock.Now()
	return s, v.readClosing(ctx, s)
}

// readClosing reads the window's closing statement, without which no gradient can be opened.
func (v *Validator) readClosing(ctx context.Context, s *session) error {
	ctx, cancel := v.Schedule.WithPatience(ctx)
	defer cancel()
	var verdict protocol.Verdict
	for {
		if s.closed, verdict = v.Source.Aggregates.ClosingNow(ctx, s.plan.Window); verdict != protocol.VerdictUnreachable {
			break
		}
		if v.Clock.Sleep(ctx, v.Schedule.Poll()) != nil {
			break
		}
	}
	if s.aggregate != nil {
		v.settleClosing(ctx, s, s.aggregate.Aggregate)
	}
	if s.closed == nil {
		v.Log.Warn("no closing statement: no gradient of this window is judged", "window", s.plan.Window, "verdict", verdict)
	}
	return nil
}

// settleClosing takes the closing statement that the Aggregate names, where the bucket has another one or none and
// miners have kept it: a holder of the key to the bucket could else make the Aggregate of another look false, or choose
// afterwards which gradients are judged. Two statements that prove an equivocation are reported.
func (v *Validator) settleClosing(ctx context.Context, s *session, a *run.Aggregate) {
	if s.closed != nil && s.closed.Hash == a.Closing {
		return
	}
	named := v.Source.Aggregates.StatementKept(ctx, a.Window, v.Directory.Candidates(), a.Closing)
	if named == nil {
		return
	}
	if s.closed != nil {
		v.Log.Error("two closing statements of one window: the bucket has another than the aggregate names and miners keep", "window", a.Window,
			"aggregator", named.Aggregator, "named", named.Hash.Short(), "other", s.closed.Aggregator)
		v.model.Report(v.Samples.Statements(a.Term, wire.IssueOf(named.Raw), wire.IssueOf(s.closed.Raw)))
	}
	s.closed = named
}

// applicable is an Aggregate that follows the committed state.
type applicable struct {
	*run.Aggregate
	hash protocol.Hash
	size int64
}

// lookAhead fetches the Aggregate of w, which names the gradients of the window. It should exist
// at this distance; without it the validator judges by its own gather.
func (v *Validator) lookAhead(ctx context.Context, w protocol.Window) (*applicable, error) {
	a, hash, size, verdict := v.Source.Aggregates.Fetch(ctx, w, v.term(w), v.Clock.Now().Add(v.Params.Gather()))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	err := error(nil)
	if verdict.OK() {
		err = v.model.Check(a)
	}
	if !verdict.OK() || err != nil {
		v.Log.Warn("no aggregate: judging by the own gather alone", "window", w, "verdict", verdict.String(), "err", err)
		return nil, nil
	}
	return &applicable{a, hash, size}, nil
}

// fetch gathers with the aggregator's time rule, and returns the miners that are drawn for evaluation: the gradients
// of the window's peers, and of as many others as are needed until the places are taken by usable ones. The gradients
// that the Aggregate names count in any case, even if this validator can no longer read them: all validators then
// measure the same gradients, and a store that fails later does no harm.
func (v *Validator) fetch(ctx context.Context, s *session, all []directory.Peer, active map[protocol.UID]bool) ([]protocol.UID, error) {
	w := s.plan.Window
	began := v.Clock.Now()
	deadline := began.Add(v.Params.PeerGather())
	line := peers.NewLineup(v.entrants(all), v.Params, s.plan.Seed, w)
	look := func(uid protocol.UID) peers.Look { return s.look(uid, active[uid]) }
	drawn, unknown := line.Fill(look)
	wanted := slices.DeleteFunc(slices.Clone(all), func(p directory.Peer) bool {
		return !s.selected[p.UID] && !slices.Contains(unknown, p.UID)
	})
	for len(wanted) > 0 {
		got, err := v.read(ctx, s, wanted, deadline)
		if err != nil {
			return nil, err
		}
		if err := v.gathers.Store(ctx, w, got); err != nil {
			v.Log.Warn("gathered gradients not stored", "window", w, "err", err) // a full disk costs no window
		}
		s.payloads = append(s.payloads, got...)
		v.complete(ctx, s)
		if drawn, unknown = line.Fill(look); !v.Clock.Now().Before(deadline) {
			break
		}
		wanted = slices.DeleteFunc(slices.Clone(all), func(p directory.Peer) bool { return !slices.Contains(unknown, p.UID) })
	}
	verdicts, size := mailbox.PeerVerdicts(s.payloads)
	v.Events.Emit(w, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: v.Clock.Now().Sub(began)})
	return drawn, nil
}

// read gathers the sealed gradients of miners, and opens those that the closing statement lists.
func (v *Validator) read(ctx context.Context, s *session, wanted []directory.Peer, deadline time.Time) ([]mailbox.Payload, error) {
	w := s.plan.Window
	g := v.Gatherer
	g.Evidence = true
	g.WaitedFor = func(uid protocol.UID) bool { return s.selected[uid] && v.absent.Awaits(w, uid) }
	got := g.Gather(ctx, w, wanted, v.Params.UploadBounds(s.end.Time), deadline)
	got = g.Reveal(ctx, w, got, s.closed, v.Clock.Now().Add(v.Params.Gather()))
	for _, p := range got {
		if p.Conflict != nil {
			v.model.Report(v.Samples.Statements(v.term(w), wire.IssueOf(s.closed.Raw), wire.IssueOf(p.Conflict.Raw)))
			v.Log.Error("two closing statements of one window: a miner was shown another than the one that counts", "window", w, "uid", p.Peer.UID,
				"aggregator", p.Conflict.Aggregator, "shown", p.Conflict.Hash.Short(), "counts", s.closed.Hash.Short())
		}
	}
	return got, ctx.Err()
}

// look is what is known of a miner's upload.
func (s *session) look(uid protocol.UID, active bool) peers.Look {
	switch p := s.payload(uid); {
	case p != nil && p.Verdict.OK():
		return peers.Usable
	case p != nil:
		return peers.Unusable
	case active:
		return peers.Unexamined
	}
	return peers.Idle
}

// complete takes from the archive the gradients that the Aggregate names and that the own
// gather lacks or has in another version.
func (v *Validator) complete(ctx context.Context, s *session) {
	if s.aggregate == nil {
		return
	}
	included := s.aggregate.Included
	v.Clock.Each(len(included), len(included), func(i int) {
		in := included[i]
		p := s.payload(in.UID)
		if p == nil || p.Peer.Hotkey != in.Hotkey || (p.Verdict.OK() && p.Content == in.Content) {
			return
		}
		if g, verdict := v.Source.Aggregates.Archived(ctx, s.plan.Window, in); verdict.OK() {
			p.Verdict, p.Gradient, p.Content, p.Raw = verdict, g, in.Content, nil
		}
	})
}

// observe records what was seen of each candidate. It also records hotkeys without a readable
// bucket that are known, since these are as idle as miners that upload nothing, or that have a
// known miner's uid, since otherwise they would be paid for its work.
//
// A miner whose last upload was invalid is inactive, until one is seen that is valid.
func (v *Validator) observe(s *session, all []directory.Peer, active map[protocol.UID]bool, drawn []protocol.UID) {
	candidate := make(map[protocol.Hotkey]bool, len(all))
	for _, p := range all {
		candidate[p.Hotkey] = true
		o := score.Observation{UID: p.UID, Hotkey: p.Hotkey, Drawn: slices.Contains(drawn, p.UID), Active: active[p.UID]}
		if r, known := v.book.Record(p.Hotkey); known && r.Refused > 0 {
			o.Active = false
		}
		if got := s.payload(p.UID); got != nil {
			o.Verdict = got.Verdict
			o.Active = (o.Active || got.Verdict.OK()) && !got.Verdict.Invalid()
		}
		s.seen = append(s.seen, o)
	}
	for _, p := range v.Directory.Peers() {
		concerns := func(r score.Record) bool { return r.Hotkey == p.Hotkey || r.UID == p.UID }
		if !candidate[p.Hotkey] && slices.ContainsFunc(v.book.Records, concerns) {
			s.seen = append(s.seen, score.Observation{UID: p.UID, Hotkey: p.Hotkey, Verdict: protocol.VerdictNoBucket})
		}
	}
	slices.SortFunc(s.seen, func(a, b score.Observation) int { return cmp.Compare(a.UID, b.UID) })
	sound, refused := score.Sound(s.seen)
	for _, why := range refused {
		v.Log.Warn("a neuron is not scored", "window", s.plan.Window, "err", why)
	}
	s.seen = sound
}

// entrants are the candidates with their standing. A newcomer counts as if it had waited since
// the start of the run.
func (v *Validator) entrants(all []directory.Peer) []peers.Entrant {
	out := make([]peers.Entrant, len(all))
	for i, p := range all {
		out[i] = peers.Entrant{UID: p.UID, Waiting: v.model.Step()}
		if r, ok := v.book.Record(p.Hotkey); ok {
			out[i].Waiting, out[i].Standing = r.Waiting, peers.StandingOf(r, v.Params)
		}
	}
	return out
}
