package peers

import (
	"cmp"
	"slices"

	"templar/internal/score"
	"templar/protocol"
)

// Entrant is a miner that may be evaluated, with its standing at the validator that draws.
type Entrant struct {
	UID     protocol.UID
	Waiting uint64 // windows since its last draw
	Standing
}

// Standing is a miner's record as far as places for the unproven depend on it.
type Standing struct {
	Paid bool // has weight at the validator
	// Refused is the number of its uploads since the last valid one that were invalid.
	Refused uint64
	// Doubtful reports that it was evaluated, and its gradients did not fit its own pages better
	// than chance.
	Doubtful bool
	// Refuted reports that its gradients fit its own pages worse than chance explains: no work, and of no use to it. An average that is not
	// positive is not enough to leave out a miner: one that trains on a part of its pages, as on a slow machine, has one a part of the time.
	Refuted bool
	// Useless reports that it was evaluated a few times, and its gradients do not lower the loss on random data, or less than
	// a quarter as much as those of others.
	Useless bool
}

// fewEvaluations are enough to find a miner useless. Gains are compared on the same batches, so that little of them is chance
// (docs/adr/0052).
const fewEvaluations = 3

// StandingOf is the standing of a miner with a record.
func StandingOf(r score.Record, p *protocol.Params) Standing {
	return Standing{
		Paid: r.Paid(), Refused: r.Refused, Doubtful: r.Evaluations > 0 && r.BinaryAverage <= 0, Refuted: r.Refuted(p),
		Useless: r.Evaluations >= fewEvaluations && r.RelativeGain() == 0,
	}
}

// proven reports whether a miner was found to work. The others get a bounded number of places.
func (s Standing) proven() bool { return s.Paid && s.Refused == 0 }

// first reports whether a miner is in the first line for evaluation: the proven, or, by the rule
// of Templar v0.2.82, all whose last upload was valid.
func (e Entrant) first(rule protocol.EvaluationDraw) bool {
	return e.proven() || (rule == protocol.DrawWaiting && e.Refused == 0)
}

// doubt orders the unproven: strangers can register any number of hotkeys, and those that were
// found idle must not keep a newcomer waiting.
func (s Standing) doubt() uint64 {
	if s.Doubtful {
		return s.Refused + 1
	}
	return s.Refused
}

// Look says what a validator knows of a miner's upload.
type Look int

// What is known of an upload.
const (
	Unexamined Look = iota // not fetched yet
	Usable                 // its gradient counts
	Unusable               // fetched: it has none, or an invalid one
	Idle                   // not fetched, since it uploads nothing lately
)

// Lineup is the order in which the miners of a window get the places for evaluation. Only usable
// uploads take one, so that no number of idle hotkeys reduces the evaluations of the others.
type Lineup struct {
	proven, unproven []protocol.UID
	places, extra    int
	share            int // of places, for the proven in any case
}

// NewLineup draws the order for window w. It is unknown until the seed's block exists, which comes after the
// last upload. With DrawUniform each proven miner has the same chance in every window; with
// DrawWaiting, its chance grows with the windows since its last draw. Of the unproven,
// those with the least doubt come first.
func NewLineup(entrants []Entrant, p *protocol.Params, seed protocol.Hash, w protocol.Window) Lineup {
	pool := slices.Clone(entrants)
	slices.SortStableFunc(pool, func(a, b Entrant) int { return cmp.Compare(a.UID, b.UID) })
	pool = slices.CompactFunc(pool, func(a, b Entrant) bool { return a.UID == b.UID })
	var proven, unproven []Entrant
	for _, e := range pool {
		if e.first(p.EvaluationDraw) {
			proven = append(proven, e)
		} else {
			unproven = append(unproven, e)
		}
	}
	draw := protocol.NewDraw("evaluations", seed, uint64(w))
	l := Lineup{places: max(0, p.UIDsPerWindow), extra: p.UnprovenPerWindow}
	for _, e := range mixed(proven, p.EvaluationDraw, draw) {
		l.proven = append(l.proven, e.UID)
	}
	strangers := mixed(unproven, p.EvaluationDraw, draw)
	slices.SortStableFunc(strangers, func(a, b Entrant) int { return cmp.Compare(a.doubt(), b.doubt()) })
	fresh := 0
	for _, e := range strangers {
		l.unproven = append(l.unproven, e.UID)
		if e.doubt() == 0 {
			fresh++
		}
	}
	l.share = share(l.places, len(proven), fresh)
	return l
}

// share is how many places the proven have before the others: in proportion to their number, while
// there are others without doubt, but at least half. In a young run most of those who work are not proven yet.
func share(places, proven, fresh int) int {
	if fresh == 0 {
		return places
	}
	half, part := (places+1)/2, (places*proven+proven+fresh-1)/(proven+fresh)
	return max(half, part)
}

// examinations bounds the unproven uploads that are fetched for each place that one may take: most
// may be junk, and each costs a download.
const examinations = 8

// Fill returns the miners that have a place, ascending by uid, as far as look knows, and those that
// are to be examined before the places are final. First the proven take their share of the places, then the
// unproven those that are left and unproven_per_window more, then the proven those that are left again.
//
// An upload that stays unexamined, because time is up, ends the line: a validator must not choose whom
// it evaluates by leaving out others.
func (l Lineup) Fill(look func(protocol.UID) Look) (drawn, wanted []protocol.UID) {
	known, others := line{uids: l.proven, most: len(l.proven)}, line{uids: l.unproven}
	known.fill(l.share, look)
	free := l.places - known.held + l.extra
	others.most = examinations * free
	others.fill(free, look)
	known.fill(min(l.places-known.held, free-others.held), look)
	drawn, wanted = append(known.drawn, others.drawn...), append(known.wanted, others.wanted...)
	slices.Sort(drawn)
	return drawn, wanted
}

// line is a line of miners that is being given places.
type line struct {
	uids          []protocol.UID // those that were not looked at yet
	most          int            // uploads that may still be examined
	drawn, wanted []protocol.UID
	held          int // places that are taken, or kept for a miner that is to be examined
}

// fill gives more places in the order of the line. A miner that is to be examined keeps a place, and none behind
// it is drawn yet.
func (l *line) fill(places int, look func(protocol.UID) Look) {
	for end := l.held + places; len(l.uids) > 0 && l.held < end && l.most > 0; l.uids = l.uids[1:] {
		uid := l.uids[0]
		switch look(uid) {
		case Idle:
			continue
		case Unexamined:
			l.wanted = append(l.wanted, uid)
			l.held++
		case Usable:
			if len(l.wanted) == 0 {
				l.drawn = append(l.drawn, uid)
			}
			l.held++
		}
		l.most--
	}
}

// mixed puts miners in a drawn order.
func mixed(pool []Entrant, rule protocol.EvaluationDraw, draw *protocol.Draw) []Entrant {
	pool = slices.Clone(pool)
	out := make([]Entrant, 0, len(pool))
	for len(pool) > 0 {
		i := pick(pool, rule, draw)
		out = append(out, pool[i])
		pool = slices.Delete(pool, i, i+1)
	}
	return out
}

// pick draws an index with probability in proportion to the weights.
func pick(pool []Entrant, rule protocol.EvaluationDraw, draw *protocol.Draw) int {
	weight := func(e Entrant) uint64 {
		if rule != protocol.DrawWaiting {
			return 1
		}
		return min(e.Waiting, maxWait) + 1
	}
	var total uint64
	for _, e := range pool {
		total += weight(e)
	}
	ticket := draw.Below(total)
	for i, e := range pool {
		if ticket < weight(e) {
			return i
		}
		ticket -= weight(e)
	}
	return len(pool) - 1 // not reached: the ticket is below the total
}

// maxWait bounds a weight, so that the sum over all uids cannot overflow.
const maxWait = 1 << 40
