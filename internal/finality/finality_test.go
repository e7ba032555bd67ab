package finality_test

import (
	"slices"
	"testing"

	"templar/internal/finality"
	"templar/protocol"
	"templar/wire"
)

var first, second, third = protocol.Hotkey{1}, protocol.Hotkey{2}, protocol.Hotkey{3}

func charge(term protocol.Term, w protocol.Window, accused protocol.Hotkey) wire.Charge {
	return wire.Charge{Term: term, Window: w, Reason: wire.ReasonUpdate, Accused: accused}
}

func TestVoids(t *testing.T) {
	by := func(stake uint64, charges ...wire.Charge) finality.Ballot {
		return finality.Ballot{Stake: stake, Charges: charges}
	}
	for name, c := range map[string]struct {
		ballots []finality.Ballot
		want    []finality.Void
	}{
		"nothing":               {},
		"a minority":            {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(10)}},
		"exactly half":          {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(10, charge(0, 5, first))}},
		"more than half":        {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(11, charge(0, 5, first))}, want: []finality.Void{{0, 5, first}}},
		"different windows":     {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(30, charge(0, 7, first))}, want: []finality.Void{{0, 7, first}}},
		"different accused":     {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(30, charge(0, 5, second))}, want: []finality.Void{{0, 5, protocol.Hotkey{}}}},
		"terms are not added":   {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(30, charge(1, 5, first))}},
		"two terms":             {ballots: []finality.Ballot{by(60, charge(0, 5, first), charge(1, 9, second))}, want: []finality.Void{{0, 5, first}, {1, 9, second}}},
		"later charges as well": {ballots: []finality.Ballot{by(60, charge(0, 5, first)), by(30, charge(0, 9, second))}, want: []finality.Void{{0, 5, first}}},
	} {
		if got := finality.Voids(c.ballots, 100); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Each void is followed by a term of an aggregator that is not accused. The number of a term has the window
// with which it begins, so that no key of it was used before that window was void.
func TestTerms(t *testing.T) {
	term := func(w protocol.Window, i protocol.Term) protocol.Term { return protocol.TermFrom(w) + i }
	two, three := []protocol.Hotkey{first, second}, []protocol.Hotkey{first, second, third}
	for name, c := range map[string]struct {
		aggregators []protocol.Hotkey
		voids       []finality.Void
		w           protocol.Window
		want        protocol.Term
	}{
		"nothing is void":        {aggregators: two, w: 9},
		"before the void":        {aggregators: two, voids: []finality.Void{{0, 5, first}}, w: 4},
		"the standby takes over": {aggregators: two, voids: []finality.Void{{0, 5, first}}, w: 5, want: term(5, 1)},
		"the first takes over":   {aggregators: two, voids: []finality.Void{{0, 5, second}}, w: 5, want: term(5, 0)},
		"none is accused":        {aggregators: two, voids: []finality.Void{{0, 5, protocol.Hotkey{}}}, w: 8, want: term(5, 0)},
		"alone":                  {aggregators: two[:1], voids: []finality.Void{{0, 5, first}}, w: 5, want: term(5, 0)},
		"both lied, before":      {aggregators: two, voids: []finality.Void{{0, 5, first}, {term(5, 1), 8, second}}, w: 7, want: term(5, 1)},
		"both lied":              {aggregators: two, voids: []finality.Void{{0, 5, first}, {term(5, 1), 8, second}}, w: 8, want: term(8, 0)},
		"both lied about one":    {aggregators: two, voids: []finality.Void{{0, 5, first}, {term(5, 1), 5, second}}, w: 5, want: term(5, 2)},
		"charged before it was":  {aggregators: two, voids: []finality.Void{{0, 5, first}, {term(5, 1), 2, second}}, w: 5, want: term(5, 2)},
		"another term's":         {aggregators: two, voids: []finality.Void{{0, 5, first}, {term(6, 1), 6, second}}, w: 9, want: term(5, 1)},
		"the void moves":         {aggregators: two, voids: []finality.Void{{0, 4, first}}, w: 5, want: term(4, 1)},
		"three":                  {aggregators: three, voids: []finality.Void{{0, 5, first}, {term(5, 0), 6, three[term(5, 0)%3]}}, w: 9, want: term(6, 0)},
	} {
		terms := finality.Terms{Aggregators: c.aggregators}
		terms.Add(c.voids)
		got := terms.Of(c.w)
		if got != c.want {
			t.Errorf("%s: term %d+%d in window %d, want %d+%d", name, got.From(), got&0xffff, c.w, c.want.From(), c.want&0xffff)
		}
		for _, v := range c.voids {
			if v.Term != 0 && got == v.Term && v.Window <= c.w {
				t.Errorf("%s: a void term counts", name)
			}
		}
	}
}

// What was void stays void when charges cannot be read any more.
func TestVoidsAreNotForgotten(t *testing.T) {
	terms := finality.Terms{Aggregators: []protocol.Hotkey{first, second}}
	if !terms.Add([]finality.Void{{0, 7, protocol.Hotkey{}}}) || terms.Add(nil) || terms.Add([]finality.Void{{0, 9, protocol.Hotkey{}}}) {
		t.Error("a void is new once")
	}
	if !terms.Add([]finality.Void{{0, 5, first}}) || !terms.Void(5, 0) || terms.Void(4, 0) || terms.Of(4) != 0 || terms.Voids()[0].Accused != first {
		t.Errorf("%v", terms.Voids())
	}
}
