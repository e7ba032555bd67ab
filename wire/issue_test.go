package wire

import (
	"strings"
	"testing"

	"templar/protocol"
)

// conflict charges two Aggregates that one aggregator has signed for a window and term.
func conflict(t testing.TB, s protocol.Signer, change func(*Aggregate)) Charge {
	t.Helper()
	m := testMethod(t)
	a, one := testAggregate(t, m, s)
	change(a)
	other, err := EncodeAggregate(a, formatOf(m), s)
	if err != nil {
		t.Fatal(err)
	}
	return *Conflicting(ReasonConflict, testTerm, IssueOf(one), IssueOf(other))
}

// statements charges two closing statements that one aggregator has signed for a window.
func statements(t testing.TB, s protocol.Signer, term protocol.Term, change func(*Closing)) Charge {
	t.Helper()
	c, one := testClosing(t, s)
	change(c)
	other, err := EncodeClosing(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return *Conflicting(ReasonStatements, term, IssueOf(one), IssueOf(other))
}

// of are the parameters of a run with these aggregators.
func of(aggregators ...protocol.Hotkey) *protocol.Params {
	return &protocol.Params{Aggregators: aggregators}
}

// Two signatures prove an equivocation without the objects, and nothing else does.
func TestConflict(t *testing.T) {
	s, run := newSigner(1), protocol.Hash{1, 2}
	later := func(a *Aggregate) { a.GatherTime++ }
	fewer := func(c *Closing) { c.Listed = c.Listed[1:] }
	for name, good := range map[string]Charge{
		"Aggregates": conflict(t, s, later), "statements": statements(t, s, 0, fewer), "statements in a later term": statements(t, s, protocol.TermFrom(76), fewer),
	} {
		if err := good.Verify(run, of(s.Hotkey())); err != nil || good.Accused != s.Hotkey() {
			t.Errorf("%s: %v, accuses %v", name, err, good.Accused)
		}
		for what, c := range map[string]struct {
			change func(*Charge)
			says   string
		}{
			"no proof":             {func(c *Charge) { c.Conflict = nil }, "no proof"},
			"the same":             {func(c *Charge) { c.Conflict.Other = c.Conflict.One }, "not two"},
			"other windows":        {func(c *Charge) { c.Conflict.One.Window++ }, "not two"},
			"the charge's window":  {func(c *Charge) { c.Window++ }, "not two"},
			"another window":       {func(c *Charge) { c.Window++; c.Conflict.One.Window++; c.Conflict.Other.Window++ }, "a signature"},
			"made-up content":      {func(c *Charge) { c.Conflict.Other.Content[0]++ }, "a signature"},
			"a stranger's":         {func(c *Charge) { c.Conflict.Other.Aggregator = newSigner(2).Hotkey() }, "may issue"},
			"the zero hotkey's":    {func(c *Charge) { c.Conflict.Other.Aggregator = protocol.Hotkey{} }, "may issue"},
			"another accused":      {func(c *Charge) { c.Accused = newSigner(2).Hotkey() }, "another is accused"},
			"no accused":           {func(c *Charge) { c.Accused = protocol.Hotkey{} }, "another is accused"},
			"terms of the objects": {func(c *Charge) { c.Conflict.One.Term++; c.Conflict.Other.Term++ }, "term"},
		} {
			bad, proof := good, *good.Conflict
			bad.Conflict = &proof
			c.change(&bad)
			if err := bad.Verify(run, of(s.Hotkey())); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %v, want an error that says %q", name, what, err, c.says)
			}
		}
		if good.Verify(protocol.Hash{9}, of(s.Hotkey())) == nil {
			t.Errorf("%s: it is a proof in another run", name)
		}
		other := good
		other.Reason = map[Reason]Reason{ReasonConflict: ReasonStatements, ReasonStatements: ReasonConflict}[good.Reason]
		if other.Verify(run, of(s.Hotkey())) == nil {
			t.Errorf("%s: it is a proof of %s", name, other.Reason)
		}
	}
	anyone := func(a *Aggregate) { a.Term = 0 }
	two := *Conflicting(ReasonConflict, 0, conflict(t, s, anyone).Conflict.Other, conflict(t, newSigner(2), anyone).Conflict.Other)
	if err := two.Verify(run, of(s.Hotkey(), newSigner(2).Hotkey())); err != nil || !two.Accused.IsZero() {
		t.Errorf("two aggregators: %v, accuses %v", err, two.Accused)
	}
	// A term has one aggregator: what another one of the run has signed counts neither against it nor for the charge.
	twoSigners := *Conflicting(ReasonStatements, protocol.TermFrom(76), statements(t, s, 0, fewer).Conflict.One, statements(t, newSigner(2), 0, fewer).Conflict.One)
	if err := twoSigners.Verify(run, of(s.Hotkey(), newSigner(2).Hotkey())); err == nil {
		t.Error("statements of two aggregators count against the turn of one")
	}
	// In the window with which its turn began, two statements of an aggregator count, unless it is the only one: its
	// Aggregate has to refer to one of the two, and nothing could replace it.
	first := statements(t, s, protocol.TermFrom(77), fewer)
	if err := first.Verify(run, of(s.Hotkey(), newSigner(2).Hotkey())); err != nil {
		t.Errorf("statements of the window with which the term began: %v", err)
	}
	if err := first.Verify(run, of(s.Hotkey())); err == nil {
		t.Error("the only aggregator could replace nothing")
	}
	before := statements(t, s, protocol.TermFrom(78), fewer)
	if err := before.Verify(run, of(s.Hotkey(), newSigner(2).Hotkey())); err == nil {
		t.Error("statements of before the term count")
	}
}

func TestCharges(t *testing.T) {
	proof := conflict(t, newSigner(1), func(a *Aggregate) { a.GatherTime++ })
	good := func() *Charges {
		return &Charges{Run: protocol.Hash{1, 2}, Charges: []Charge{
			{Term: 0, Window: 5, Reason: ReasonUpdate, Accused: newSigner(1).Hotkey(), Content: protocol.Hash{3}},
			{Term: 1, Window: 5, Reason: ReasonAbsent},
			proof,
		}}
	}
	sealed, err := Seal(DomainCharges, good(), newSigner(4))
	if err != nil {
		t.Fatal(err)
	}
	var got Charges
	if by, err := Open(DomainCharges, sealed, &got); err != nil || by != newSigner(4).Hotkey() || *got.Charges[2].Conflict != *proof.Conflict {
		t.Errorf("%+v of %v, %v", got, by, err)
	}
	for name, change := range map[string]func(*Charges){
		"out of order":     func(c *Charges) { c.Charges[0].Term = 1 },
		"unknown reason":   func(c *Charges) { c.Charges[0].Reason = "dislike" },
		"no proof":         func(c *Charges) { c.Charges[2].Conflict = nil },
		"proof of nothing": func(c *Charges) { c.Charges[0].Conflict = proof.Conflict },
		"too many":         func(c *Charges) { c.Charges = make([]Charge, MaxCharges+1) },
	} {
		c := good()
		change(c)
		if c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzOpenCharges(f *testing.F) {
	proof := conflict(f, newSigner(1), func(a *Aggregate) { a.GatherTime++ })
	sealed, err := Seal(DomainCharges, &Charges{Charges: []Charge{proof, statements(f, newSigner(1), testTerm+1, func(c *Closing) { c.Listed = nil })}}, newSigner(4))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Charges
		if _, err := Open(DomainCharges, b, &c); err == nil && c.Validate() != nil {
			t.Error("an invalid document is read")
		}
		if readPayload(b, &c) == nil && c.Validate() != nil {
			t.Error("an invalid payload is read")
		}
	})
}
