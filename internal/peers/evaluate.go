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
}

// StandingOf is the standing of a miner with a record.
func StandingOf(r score.Record) Standing {
	return Standing{Paid: r.Paid(), Refused: r.Refused, Doubtful: r.Evaluations > 0 && r.BinaryAverage <= 0}
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
	for _, e := range strangers {
		l.unproven = append(l.unproven, e.UID)
	}
	return l
}

// examinations bounds the unproven uploads that are fetched for each place that one may take: most
// may be junk, and each costs a download.
const examinations = 8

// Fill returns the miners that have a place, ascending by uid, as far as look knows, and those that
// are to be examined before the places are final. The proven come first. The unproven have
// unproven_per_window places of their own, and those that the proven leave free.
//
// An upload that stays unexamined, because time is up, ends the line: a validator must not choose whom
// it evaluates by leaving out others.
func (l Lineup) Fill(look func(protocol.UID) Look) (drawn, wanted []protocol.UID) {
	f := filling{look: look}
	f.fill(l.proven, l.places, len(l.proven))
	free := l.places - f.held
	f.fill(l.unproven, l.extra+free, examinations*(l.extra+free))
	slices.Sort(f.drawn)
	return f.drawn, f.wanted
}

type filling struct {
	look          func(protocol.UID) Look
	drawn, wanted []protocol.UID
	held          int // places that are taken, or kept for a miner that is to be examined
}

// fill gives places in the order of a line, of which it examines a number of uploads at most. A miner
// that is to be examined keeps a place, and none behind it is drawn yet.
func (f *filling) fill(line []protocol.UID, places, most int) {
	asked := false
	for end := f.held + places; len(line) > 0 && f.held < end && most > 0; line = line[1:] {
		look := f.look(line[0])
		if look == Idle {
			continue
		}
		most--
		switch {
		case look == Unexamined:
			asked = true
			f.wanted = append(f.wanted, line[0])
			f.held++
		case look == Usable:
			if !asked {
				f.drawn = append(f.drawn, line[0])
			}
			f.held++
		}
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
