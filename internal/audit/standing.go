package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"templar/internal/attest"
	"templar/internal/directory"
	"templar/protocol"
	"templar/wire"
)

// Standing is what the validators say of a window's Aggregate, as their buckets have it now.
type Standing struct {
	Term  protocol.Term   `json:"term"`           // of the Aggregate that counts
	Final bool            `json:"final"`          // more than half of the stake has signed one state after it, or after a later window
	Most  uint64          `json:"signed"`         // the stake that has signed the same state after it, of the state with most
	Total uint64          `json:"stake"`          // of all validators
	By    protocol.Window `json:"final_by"`       // the window whose state that is
	Void  []wire.Void     `json:"void,omitempty"` // the terms that are void for the window
	// Charges are those against its Aggregates, of every term, by stake.
	Charges []Charged `json:"charges,omitempty"`
}

// Charged is a validator's charge.
type Charged struct {
	Validator protocol.UID    `json:"validator"`
	Hotkey    protocol.Hotkey `json:"hotkey"`
	wire.Charge
}

// Docket reads the validators' charges.
func (r *Records) Docket(ctx context.Context) *attest.Docket {
	d := &attest.Docket{Samples: r.attested(), Directory: r.Electorate()}
	d.Refresh(ctx, nil)
	return d
}

// StandingOf returns what the validators say of a window's Aggregate. It recomputes nothing: a state counts as those
// that have signed it say.
func (r *Records) StandingOf(ctx context.Context, d *attest.Docket, w protocol.Window) Standing {
	terms := d.Terms()
	f := Standing{Term: terms.Of(w)}
	for _, v := range terms.Voids() {
		if v.Term < f.Term && max(v.Window, v.Term.From()) <= w {
			f.Void = append(f.Void, v)
		}
	}
	validators := r.Electorate().Validators()
	for _, v := range validators {
		for _, c := range d.Of(v.Hotkey) {
			if c.Window <= w && (c.Term == f.Term || slices.ContainsFunc(f.Void, func(o wire.Void) bool { return o.Term == c.Term })) {
				f.Charges = append(f.Charges, Charged{v.UID, v.Hotkey, c})
			}
		}
	}
	f.Total = directory.Stake(validators)
	f.Most = r.signed(ctx, w, f.Term)
	f.By, f.Final = w, f.Most > f.Total/2
	for by := w + 1; !f.Final && by <= w+looksOn && ctx.Err() == nil; by++ {
		if r.signed(ctx, by, terms.Of(by)) > f.Total/2 {
			f.By, f.Final = by, true
		}
	}
	return f
}

// signed is the most stake that has signed one state after a window, in a term.
func (r *Records) signed(ctx context.Context, w protocol.Window, t protocol.Term) (most uint64) {
	signed := make(map[protocol.Hash]uint64)
	for _, v := range r.Electorate().Validators() {
		if s, verdict := r.attested().Fetch(ctx, v, w); verdict.OK() && s.Issue.Term == t {
			signed[s.State] += v.Stake
			most = max(most, signed[s.State])
		}
	}
	return most
}

// String says it in a line.
func (s Standing) String() string {
	signed := share(s.Most, s.Total)
	if s.Final && s.Most <= s.Total/2 {
		return fmt.Sprintf("final: %s of all stake signed the state after it, and more than half that after window %d, which follows from it%s", signed, s.By, s.trouble())
	}
	if s.Final {
		return fmt.Sprintf("final: %s of all stake signed the state after it%s", signed, s.trouble())
	}
	return fmt.Sprintf("not final: at most %s of all stake signed one state after it%s", signed, s.trouble())
}

// trouble says what is void and charged, each after a semicolon.
func (s Standing) trouble() string {
	var b strings.Builder
	for _, v := range s.Void {
		fmt.Fprintf(&b, "; term %d is void from window %d on", v.Term, v.Window)
		if !v.Accused.IsZero() {
			fmt.Fprintf(&b, ", passing over aggregator %s", v.Accused)
		}
	}
	if len(s.Void) > 0 {
		fmt.Fprintf(&b, "; term %d replaces it", s.Term)
	}
	for _, c := range s.Charges {
		fmt.Fprintf(&b, "; validator uid %d charges window %d of term %d: %s", c.Validator, c.Window, c.Term, c.Reason)
	}
	return b.String()
}
