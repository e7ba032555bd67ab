// Package attest implements the attestation of states: each node signs a sync sample after a
// window, with the hash and some values of its parameters, and an Attestation counts the
// validators' signatures of a state.
package attest

import (
	"context"
	"fmt"
	"math"
	"slices"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/score"
	"templar/protocol"
	"templar/wire"
)

// looksAtOnce bounds the buckets that are read at once.
const looksAtOnce = 32

// Attestation is the number of validators that agree with a state, and their stake.
type Attestation struct {
	Agree   uint64 // stake
	Against uint64
	Total   uint64 // of all validators asked, including those without a sample

	Signers []protocol.Hotkey // the validators whose own samples agree
	// Apart is the distance of the contradicting parameters by their samples: the mean distance in
	// the method's steps, the largest if there are several. It is NaN when the chain no longer has
	// the block that determines the sampled positions.
	Apart float64
	// Unreachable are the validators whose stores did not answer.
	Unreachable []protocol.Hotkey
	// Conflict proves that there are two Aggregates of the state's window and term; nil: none is known.
	Conflict *wire.Charge
}

// Backed reports whether more than half of all stake has signed the state.
func (a Attestation) Backed() bool { return a.Agree > a.Total/2 }

// Contradicted reports whether more stake holds other parameters than these.
func (a Attestation) Contradicted() bool { return a.Against > a.Agree }

// Outvoted reports whether more than half of all stake holds other parameters.
func (a Attestation) Outvoted() bool { return a.Against > a.Total/2 }

// String describes it, as a suffix of "the validators hold other parameters".
func (a Attestation) String() string {
	return fmt.Sprintf("a stake of %d, with %d these; %s", a.Against, a.Agree, a.HowFar())
}

// HowFar describes Apart.
func (a Attestation) HowFar() string {
	if math.IsNaN(a.Apart) {
		return "distance unknown: the chain no longer has the block"
	}
	return fmt.Sprintf("%.3g steps apart where sampled", a.Apart)
}

// Attest compares a state with the states that validators have signed in their sync samples: the
// same hash agrees, another contradicts. A validator without a readable sample of the window does
// not count, nor does one whose sample has the hash without the right values at positions that
// were unpredictable: it has copied the hash. The stake of holder, the owner of the state, agrees.
func (s Samples) Attest(ctx context.Context, validators []directory.Peer, held State, holder protocol.Hotkey) Attestation {
	end := s.Schedule.EndIfKnown(ctx, held.Window)
	said := make([]Attestation, len(validators))
	s.Schedule.Clock.Each(len(validators), looksAtOnce, func(i int) {
		if v := validators[i]; v.Hotkey == holder {
			said[i].Agree = v.Stake
		} else {
			said[i] = s.word(ctx, v, held, end)
		}
		said[i].Total = validators[i].Stake
	})
	var a Attestation
	for _, one := range said {
		a.Agree += one.Agree
		a.Against += one.Against
		a.Total += one.Total
		a.Signers = append(a.Signers, one.Signers...)
		a.Unreachable = append(a.Unreachable, one.Unreachable...)
		a.Apart = max(a.Apart, one.Apart)
		if a.Conflict == nil {
			a.Conflict = one.Conflict
		}
	}
	return a
}

// word is one validator's statement about a state.
func (s Samples) word(ctx context.Context, v directory.Peer, held State, end *chain.Block) (a Attestation) {
	sample, verdict := s.Fetch(ctx, v, held.Window)
	if verdict == protocol.VerdictUnreachable {
		a.Unreachable = []protocol.Hotkey{v.Hotkey}
	}
	if !verdict.OK() {
		return a
	}
	ours := held.Values[v.Hotkey]
	if end != nil && held.Params != nil {
		ours = s.Of(held.Params, *end, v.Hotkey)
	}
	a.Conflict = s.Conflict(held.Issue, sample.Issue)
	switch same := sample.State == held.Hash && sample.Issue.Content == held.Issue.Content; {
	case same && (ours == nil || slices.Equal(sample.Values, ours)):
		a.Agree, a.Signers = v.Stake, []protocol.Hotkey{v.Hotkey}
	case same:
	case ours == nil:
		a.Against, a.Apart = v.Stake, math.NaN()
	default:
		a.Against = v.Stake
		a.Apart = float64(score.Compare(ours, sample.Values, s.Run.Method.StepSize(held.Step-1)).StepsBehind)
	}
	return a
}

// Conflict returns the charge that two Aggregates of one window and term prove; nil when they prove none.
func (s Samples) Conflict(one, other wire.Issue) *wire.Charge {
	return s.proven(wire.Conflicting(wire.ReasonConflict, one.Term, one, other))
}

// Statements returns the charge against the Aggregate of a term that two closing statements of its window
// prove; nil when they prove none.
func (s Samples) Statements(term protocol.Term, one, other wire.Issue) *wire.Charge {
	return s.proven(wire.Conflicting(wire.ReasonStatements, term, one, other))
}

func (s Samples) proven(c *wire.Charge) *wire.Charge {
	if c.Verify(s.Run.Hash, s.Run.Params) != nil {
		return nil
	}
	return c
}

// Applied is the stake of those validators that have signed a state after the Aggregate content of w; with
// a zero content, after any.
func (s Samples) Applied(ctx context.Context, validators []directory.Peer, w protocol.Window, content protocol.Hash) (stake uint64) {
	has := make([]uint64, len(validators))
	s.Schedule.Clock.Each(len(validators), looksAtOnce, func(i int) {
		if sample, verdict := s.Fetch(ctx, validators[i], w); verdict.OK() && (content.IsZero() || sample.Issue.Content == content) {
			has[i] = validators[i].Stake
		}
	})
	for _, one := range has {
		stake += one
	}
	return stake
}
