// Package finality has the rules by which validators' charges make the Aggregates of a term void, and
// by which a later term replaces them (docs/spec/finality.md). It takes values and returns values.
package finality

import (
	"cmp"
	"slices"

	"templar/protocol"
	"templar/wire"
)

// Ballot is what a validator charges, with its stake.
type Ballot struct {
	Stake   uint64
	Charges []wire.Charge
}

// Void states that the Aggregates of a term are false from a window on, by more than half of the stake.
type Void struct {
	Term    protocol.Term   `json:"term"`
	Window  protocol.Window `json:"window"`
	Accused protocol.Hotkey `json:"accused,omitzero"` // by more than half of the stake; zero: none is
}

// Voids counts ballots. It returns what is void by more than half of total, ascending by term.
func Voids(ballots []Ballot, total uint64) (out []Void) {
	terms := make(map[protocol.Term][]vote)
	for _, b := range ballots {
		for _, c := range b.Charges {
			terms[c.Term] = append(terms[c.Term], vote{c.Window, c.Accused, b.Stake})
		}
	}
	for term, votes := range terms {
		if v, ok := count(votes, total); ok {
			v.Term = term
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b Void) int { return cmp.Compare(a.Term, b.Term) })
	return out
}

type vote struct {
	window  protocol.Window
	accused protocol.Hotkey
	stake   uint64
}

// count finds the earliest window that more than half of total calls false, or one before it.
func count(votes []vote, total uint64) (v Void, ok bool) {
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
	voids       []Void
}

// Add takes voids. Those that are known are never forgotten: one of an earlier window replaces one
// of the same term. It reports whether any was new.
func (t *Terms) Add(voids []Void) (changed bool) {
	for _, v := range voids {
		i := slices.IndexFunc(t.voids, func(o Void) bool { return o.Term == v.Term })
		switch {
		case i < 0:
			t.voids, changed = append(slices.Clone(t.voids), v), true
		case v.Window < t.voids[i].Window || (t.voids[i].Accused.IsZero() && !v.Accused.IsZero()):
			t.voids = slices.Clone(t.voids)
			t.voids[i].Window = min(v.Window, t.voids[i].Window)
			t.voids[i].Accused, changed = v.Accused, true
		}
	}
	return changed
}

// Voids returns what is void.
func (t *Terms) Voids() []Void { return t.voids }

// Void reports whether the Aggregate of w and a term does not count.
func (t *Terms) Void(w protocol.Window, term protocol.Term) bool { return t.Of(w) != term }

// Of returns the term of the Aggregate of w. It follows from what is void alone, so that all nodes that
// have read the same charges agree on it, whatever they knew before. A void that moves to an earlier window
// makes another term of its successor.
func (t *Terms) Of(w protocol.Window) (term protocol.Term) {
	for {
		i := slices.IndexFunc(t.voids, func(v Void) bool { return v.Term == term && max(v.Window, term.From()) <= w })
		if i < 0 {
			return term
		}
		term = t.successor(t.voids[i])
	}
}

// successor is the lowest term after v's that begins with v's window and whose aggregator is not the accused.
func (t *Terms) successor(v Void) protocol.Term {
	first := max(v.Term+1, protocol.TermFrom(max(v.Window, v.Term.From())))
	n := protocol.Term(len(t.Aggregators))
	for s := first; s < first+n; s++ {
		if t.Aggregators[s%n] != v.Accused {
			return s
		}
	}
	return first
}
