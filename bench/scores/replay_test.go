package scores

import (
	"math"
	"testing"

	"templar/internal/report"
	"templar/internal/score"
	"templar/protocol"
)

// rule is a change to the scoring rules of new runs.
type rule struct {
	name    string
	params  func(*protocol.Params)   // changes the run parameters, when set
	observe func(*score.Observation) // changes what a validator sees, when set
}

// books closes a run's windows again by a rule, on the observations in the reports, and returns
// the book after each.
func (r *result) books(t *testing.T, by rule) []score.Book {
	t.Helper()
	p := protocol.Default()
	studied(t, &r.network, &p)
	if by.params != nil {
		by.params(&p)
	}
	var book score.Book
	var out []score.Book
	for _, one := range r.Reports {
		seen := one.Observations()
		for i := range seen {
			if by.observe != nil {
				by.observe(&seen[i])
			}
		}
		var err error
		if book, _, err = book.Close(one.Window, seen, &p); err != nil {
			t.Fatal(err)
		}
		out = append(out, book)
	}
	return out
}

// of returns a miner's record in a book.
func of(b score.Book, uid protocol.UID) score.Record {
	for _, r := range b.Records {
		if r.UID == uid {
			return r
		}
	}
	return score.Record{}
}

// line is a miner's entry in the i-th report.
func (r *result) line(i int, uid protocol.UID) *report.Miner {
	for k := range r.Reports[i].Miners {
		if m := &r.Reports[i].Miners[k]; m.UID == uid {
			return m
		}
	}
	return &report.Miner{}
}

// requireTrue checks that each report follows from the one before by the rules of new runs.
func (r *result) requireTrue(t *testing.T) {
	t.Helper()
	for i, b := range r.books(t, rule{}) {
		for _, m := range r.Reports[i].Miners {
			if got := of(b, m.UID).Final; math.Abs(got-m.After.Final) > report.Tolerance {
				t.Fatalf("%s, seed %d, window %d, uid %d: final %v in the report, %v closed again", r.Name, r.Seed, i, m.UID, m.After.Final, got)
			}
		}
	}
}
