package wire

import (
	"strings"
	"testing"

	"templar/protocol"
)

// conflict is two Aggregates that one aggregator has signed for a window and term.
func conflict(t testing.TB, s protocol.Signer, change func(*Aggregate)) Conflict {
	t.Helper()
	m := testMethod(t)
	a, one := testAggregate(t, m, s)
	change(a)
	other, err := EncodeAggregate(a, formatOf(m), s)
	if err != nil {
		t.Fatal(err)
	}
	return Conflict{IssueOf(one), IssueOf(other)}
}

// Two signatures prove an equivocation without the Aggregates, and nothing else does.
func TestConflict(t *testing.T) {
	s, run := newSigner(1), protocol.Hash{1, 2}
	good := conflict(t, s, func(a *Aggregate) { a.GatherTime++ })
	if err := good.Verify(run, only(s.Hotkey())); err != nil || good.Accused() != s.Hotkey() {
		t.Errorf("%v, accuses %v", err, good.Accused())
	}
	for name, c := range map[string]struct {
		change func(*Conflict)
		says   string
	}{
		"the same":          {func(c *Conflict) { c.Other = c.One }, "not two"},
		"other windows":     {func(c *Conflict) { c.One.Window++ }, "not two"},
		"another window":    {func(c *Conflict) { c.One.Window++; c.Other.Window++ }, "a signature"},
		"another term":      {func(c *Conflict) { c.One.Term++; c.Other.Term++ }, "a signature"},
		"made-up content":   {func(c *Conflict) { c.Other.Content[0]++ }, "a signature"},
		"a stranger's":      {func(c *Conflict) { c.Other.Aggregator = newSigner(2).Hotkey() }, "may issue"},
		"the zero hotkey's": {func(c *Conflict) { c.Other.Aggregator = protocol.Hotkey{} }, "may issue"},
	} {
		bad := good
		c.change(&bad)
		if err := bad.Verify(run, only(s.Hotkey())); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.says)
		}
	}
	if good.Verify(protocol.Hash{9}, only(s.Hotkey())) == nil {
		t.Error("it is a proof in another run")
	}
	two := good
	two.Other = conflict(t, newSigner(2), func(*Aggregate) {}).One
	if err := two.Verify(run, only(s.Hotkey(), newSigner(2).Hotkey())); err != nil || !two.Accused().IsZero() {
		t.Errorf("two aggregators: %v, accuses %v", err, two.Accused())
	}
}

func TestCharges(t *testing.T) {
	proof := conflict(t, newSigner(1), func(a *Aggregate) { a.GatherTime++ })
	good := func() *Charges {
		return &Charges{Run: protocol.Hash{1, 2}, Charges: []Charge{
			{Term: 0, Window: 5, Reason: ReasonUpdate, Accused: newSigner(1).Hotkey(), Content: protocol.Hash{3}},
			{Term: 1, Window: 5, Reason: ReasonAbsent},
			{Term: testTerm, Window: 77, Reason: ReasonConflict, Accused: proof.Accused(), Conflict: &proof},
		}}
	}
	sealed, err := Seal(DomainCharges, good(), newSigner(4))
	if err != nil {
		t.Fatal(err)
	}
	var got Charges
	if by, err := Open(DomainCharges, sealed, &got); err != nil || by != newSigner(4).Hotkey() || *got.Charges[2].Conflict != proof {
		t.Errorf("%+v of %v, %v", got, by, err)
	}
	for name, change := range map[string]func(*Charges){
		"out of order":     func(c *Charges) { c.Charges[0].Term = 1 },
		"unknown reason":   func(c *Charges) { c.Charges[0].Reason = "dislike" },
		"no proof":         func(c *Charges) { c.Charges[2].Conflict = nil },
		"proof of nothing": func(c *Charges) { c.Charges[0].Conflict = &proof },
		"another window":   func(c *Charges) { c.Charges[2].Window-- },
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
	sealed, err := Seal(DomainCharges, &Charges{Charges: []Charge{{Term: testTerm, Window: 77, Reason: ReasonConflict, Conflict: &proof}}}, newSigner(4))
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
