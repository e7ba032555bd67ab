// Package finality has the rules by which validators' charges make the Aggregates of a term void, and
// by which a later term replaces them (docs/spec/finality.md). It takes values and returns values.
package finality

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"templar/protocol"
	"templar/wire"
)

// Ballot is what a validator charges, with its stake.
type Ballot struct {
	Stake   uint64
	Charges []wire.Charge
}

// Voids counts ballots. It returns what is void by more than half of total, ascending by term. Of a ballot with
// several charges of a term the earliest counts.
func Voids(ballots []Ballot, total uint64) (out []wire.Void) {
	terms := make(map[protocol.Term][]vote)
	for _, b := range ballots {
		own := make(map[protocol.Term]vote)
		for _, c := range b.Charges {
			if first, has := own[c.Term]; !has || c.Window < first.window {
				own[c.Term] = vote{c.Window, c.Accused, b.Stake}
			}
		}
		for term, one := range own {
			terms[term] = append(terms[term], one)
		}
	}
	for term, votes := range terms {
		if v, ok := count(votes, total); ok {
			v.Term = term
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b wire.Void) int { return cmp.Compare(a.Term, b.Term) })
	return out
}

type vote struct {
	window  protocol.Window
	accused protocol.Hotkey
	stake   uint64
}

// count finds the earliest window that more than half of total calls false, or one before it.
func count(votes []vote, total uint64) (v wire.Void, ok bool) {
	slices.SortStableFunc(votes, func(a, b vote) int { return cmp.Compare(a.window, b.window) })
	var sum uint64
	accused := make(map[protocol.Hotkey]uint64)
	for _, one := range votes {
		if ok && one.window > v.Window {
			break
		}
		sum += one.stake
		accused[one.accused] += one.stake
		if !ok && sum > total/2 {
			v.Window, ok = one.window, true
		}
	}
	for h, stake := range accused {
		if stake > total/2 {
			v.Accused = h
		}
	}
	return v, ok
}

// Terms says which term the Aggregate of a window has. The zero value has no voids.
type Terms struct {
	Aggregators []protocol.Hotkey
	voids       []wire.Void
}

// Add takes voids. Of a term counts the one of the earliest window; of those, one with an accused; of those, the
// one whose accused is lowest. So nodes that know the same voids agree, in whatever order they learned of them, and
// nothing is forgotten. It reports whether anything has changed.
func (t *Terms) Add(voids []wire.Void) (changed bool) {
	for _, v := range voids {
		i := slices.IndexFunc(t.voids, func(o wire.Void) bool { return o.Term == v.Term })
		switch {
		case i < 0:
			t.voids, changed = append(slices.Clone(t.voids), v), true
		case prevails(v, t.voids[i]):
			t.voids = slices.Clone(t.voids)
			t.voids[i], changed = v, true
		}
	}
	return changed
}

// prevails reports whether v counts rather than o, of the same term.
func prevails(v, o wire.Void) bool {
	if v.Window != o.Window || v.Accused.IsZero() || o.Accused.IsZero() {
		return v.Window < o.Window || v.Window == o.Window && o.Accused.IsZero() && !v.Accused.IsZero()
	}
	return bytes.Compare(v.Accused[:], o.Accused[:]) < 0
}

// Voids returns what is void.
func (t *Terms) Voids() []wire.Void { return t.voids }

// Void reports whether the Aggregate of w and a term does not count.
func (t *Terms) Void(w protocol.Window, term protocol.Term) bool { return t.Of(w) != term }

// Of returns the term of the Aggregate of w. It follows from what is void alone, so that all nodes that
// have read the same charges agree on it, whatever they knew before. A void that moves to an earlier window
// makes another term of its successor.
func (t *Terms) Of(w protocol.Window) (term protocol.Term) {
	lost := make(map[protocol.Hotkey]int)
	for {
		i := slices.IndexFunc(t.voids, func(v wire.Void) bool { return v.Term == term && max(v.Window, term.From()) <= w })
		if i < 0 {
			return term
		}
		v := t.voids[i]
		lost[t.loser(v)]++
		term = t.successor(v, lost)
	}
}

// loser is the aggregator whose turn ends with v: that of its term, or, in term 0, which is no one's, the accused.
func (t *Terms) loser(v wire.Void) protocol.Hotkey {
	if n := protocol.Term(len(t.Aggregators)); v.Term > 0 && n > 0 {
		return t.Aggregators[v.Term%n]
	}
	return v.Accused
}

// successor is the lowest term after v's that begins with v's window and whose aggregator has lost the fewest turns, of those that are neither
// the accused nor the one whose turn v's term was. An aggregator loses its turn with its term, so that nothing needs to be
// proven against one that is silent. The window of a void decides which number comes next: without the count, two that choose
// where they lie could pass the turn to each other for good.
func (t *Terms) successor(v wire.Void, lost map[protocol.Hotkey]int) protocol.Term {
	first := max(v.Term+1, protocol.TermFrom(max(v.Window, v.Term.From())))
	n := protocol.Term(len(t.Aggregators))
	best, fewest := first, math.MaxInt
	for s := first; s < first+n; s++ {
		next := t.Aggregators[s%n]
		if next != v.Accused && next != t.loser(v) && lost[next] < fewest {
			best, fewest = s, lost[next]
		}
	}
	return best
}
