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

func void(term protocol.Term, w protocol.Window, accused protocol.Hotkey) wire.Void {
	return wire.Void{Term: term, Window: w, Accused: accused}
}

func TestVoids(t *testing.T) {
	by := func(stake uint64, charges ...wire.Charge) finality.Ballot {
		return finality.Ballot{Stake: stake, Charges: charges}
	}
	for name, c := range map[string]struct {
		ballots []finality.Ballot
		want    []wire.Void
	}{
		"nothing":               {},
		"a minority":            {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(10)}},
		"exactly half":          {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(10, charge(0, 5, first))}},
		"more than half":        {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(11, charge(0, 5, first))}, want: []wire.Void{void(0, 5, first)}},
		"different windows":     {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(30, charge(0, 7, first))}, want: []wire.Void{void(0, 7, first)}},
		"different accused":     {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(30, charge(0, 5, second))}, want: []wire.Void{void(0, 5, protocol.Hotkey{})}},
		"terms are not added":   {ballots: []finality.Ballot{by(40, charge(0, 5, first)), by(30, charge(1, 5, first))}},
		"two terms":             {ballots: []finality.Ballot{by(60, charge(0, 5, first), charge(1, 9, second))}, want: []wire.Void{void(0, 5, first), void(1, 9, second)}},
		"counts once":           {ballots: []finality.Ballot{by(40, charge(0, 5, first), charge(0, 6, second)), by(10)}},
		"the earlier of two":    {ballots: []finality.Ballot{by(60, charge(0, 7, second), charge(0, 5, first))}, want: []wire.Void{void(0, 5, first)}},
		"later charges as well": {ballots: []finality.Ballot{by(60, charge(0, 5, first)), by(30, charge(0, 9, second))}, want: []wire.Void{void(0, 5, first)}},
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
		voids       []wire.Void
		w           protocol.Window
		want        protocol.Term
	}{
		"nothing is void":        {aggregators: two, w: 9},
		"before the void":        {aggregators: two, voids: []wire.Void{void(0, 5, first)}, w: 4},
		"the standby takes over": {aggregators: two, voids: []wire.Void{void(0, 5, first)}, w: 5, want: term(5, 1)},
		"the first takes over":   {aggregators: two, voids: []wire.Void{void(0, 5, second)}, w: 5, want: term(5, 0)},
		"none is accused":        {aggregators: two, voids: []wire.Void{void(0, 5, protocol.Hotkey{})}, w: 8, want: term(5, 0)},
		"a turn is lost":         {aggregators: two, voids: []wire.Void{void(0, 5, protocol.Hotkey{}), void(term(5, 0), 9, protocol.Hotkey{})}, w: 9, want: term(9, 1)},
		"alone":                  {aggregators: two[:1], voids: []wire.Void{void(0, 5, first)}, w: 5, want: term(5, 0)},
		"both lied, before":      {aggregators: two, voids: []wire.Void{void(0, 5, first), void(term(5, 1), 8, second)}, w: 7, want: term(5, 1)},
		"both lied":              {aggregators: two, voids: []wire.Void{void(0, 5, first), void(term(5, 1), 8, second)}, w: 8, want: term(8, 0)},
		"both lied about one":    {aggregators: two, voids: []wire.Void{void(0, 5, first), void(term(5, 1), 5, second)}, w: 5, want: term(5, 2)},
		"charged before it was":  {aggregators: two, voids: []wire.Void{void(0, 5, first), void(term(5, 1), 2, second)}, w: 5, want: term(5, 2)},
		"another term's":         {aggregators: two, voids: []wire.Void{void(0, 5, first), void(term(6, 1), 6, second)}, w: 9, want: term(5, 1)},
		"the void moves":         {aggregators: two, voids: []wire.Void{void(0, 4, first)}, w: 5, want: term(4, 1)},
		"three":                  {aggregators: three, voids: []wire.Void{void(0, 5, first), void(term(5, 0), 6, three[term(5, 0)%3])}, w: 9, want: term(6, 1)},
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

// However colluding aggregators choose the windows that they make void, an honest one has the turn after each of them
// had it once: it has lost fewer turns. By the order of the run parameters alone, two of three can pass the turn to each other for good, since
// the window of a void decides whose number comes next.
func TestColludersPassTheTurnOnce(t *testing.T) {
	for n := 2; n <= 9; n++ {
		var all []protocol.Hotkey
		for i := range n {
			all = append(all, protocol.Hotkey{byte(i + 1)})
		}
		for honest := range n {
			for choice := range uint64(200) {
				terms := finality.Terms{Aggregators: all}
				turns, w := 0, protocol.Window(5)
				terms.Add([]wire.Void{void(0, w, protocol.Hotkey{})})
				for ; ; turns++ {
					term := terms.Of(w)
					if int(uint64(term)%uint64(n)) == honest {
						break
					}
					w += protocol.Window(choice >> (2 * turns) & 3) // where its holder makes it void
					terms.Add([]wire.Void{void(term, w, protocol.Hotkey{})})
					if turns+1 >= n {
						t.Fatalf("%d aggregators, number %d is honest: %d turns of others, %v", n, honest, turns, terms.Voids())
					}
				}
			}
		}
	}
}

// What was void stays void when charges cannot be read any more.
func TestVoidsAreNotForgotten(t *testing.T) {
	terms := finality.Terms{Aggregators: []protocol.Hotkey{first, second}}
	if !terms.Add([]wire.Void{void(0, 7, protocol.Hotkey{})}) || terms.Add(nil) || terms.Add([]wire.Void{void(0, 9, protocol.Hotkey{})}) {
		t.Error("a void is new once")
	}
	if !terms.Add([]wire.Void{void(0, 5, first)}) || !terms.Void(5, 0) || terms.Void(4, 0) || terms.Of(4) != 0 || terms.Voids()[0].Accused != first {
		t.Errorf("%v", terms.Voids())
	}
}

// Nodes that learn of the same voids in any order know the same terms.
func TestVoidsInAnyOrder(t *testing.T) {
	none := protocol.Hotkey{}
	all := []wire.Void{void(0, 7, first), void(0, 5, none), void(0, 5, second), void(0, 5, first), void(protocol.TermFrom(5)+1, 9, none)}
	two := []protocol.Hotkey{first, second}
	want := finality.Terms{Aggregators: two}
	want.Add(all)
	if got := want.Of(6); got != protocol.TermFrom(5)+1 {
		t.Errorf("term %d+%d", got.From(), got&0xffff)
	}
	for i := range all {
		for j := range all {
			terms := finality.Terms{Aggregators: two}
			terms.Add(all[i : i+1])
			terms.Add(all[j : j+1])
			terms.Add(all)
			for w := range protocol.Window(12) {
				if terms.Of(w) != want.Of(w) {
					t.Errorf("after %v and %v window %d has term %d, not %d", all[i], all[j], w, terms.Of(w), want.Of(w))
				}
			}
		}
	}
}
