package exchange

import (
	"context"
	"fmt"
	"math"
	"slices"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/score"
	"templar/protocol"
)

// Attestation is how many validators, and how much of their stake, stand behind a state.
type Attestation struct {
	Agree   uint64 // stake
	Against uint64
	Total   uint64 // of all validators asked, those without a word included

	Signers []protocol.Hotkey // who agrees by a signature of his own
	// Apart is how far the parameters of those against it are, as far as their samples show:
	// the mean distance in steps of the window's learning rate, and of several the largest.
	// It is NaN when the chain does not tell any more where samples were taken.
	Apart float64
	// Unreachable are the validators whose stores did not answer.
	Unreachable []protocol.Hotkey
}

// Contradicted reports whether more stake holds other parameters than these.
func (a Attestation) Contradicted() bool { return a.Against > a.Agree }

// Outvoted reports whether more than half of all stake holds other parameters.
func (a Attestation) Outvoted() bool { return a.Against > a.Total/2 }

// String puts it in words that fit behind "the validators hold other parameters".
func (a Attestation) String() string {
	return fmt.Sprintf("a stake of %d, with %d these; %s", a.Against, a.Agree, a.HowFar())
}

// HowFar puts Apart in words.
func (a Attestation) HowFar() string {
	if math.IsNaN(a.Apart) {
		return "how far apart, the chain does not tell any more"
	}
	return fmt.Sprintf("%.3g steps apart where sampled", a.Apart)
}

// Attest holds a state against what validators have signed of theirs in their sync samples:
// the same hash agrees, another is against it. Who has no sample of the window, or none that
// can be read, says nothing, and nor does who names the hash without knowing the values at
// places that nobody could foresee: it has copied it. The stake of holder, whose word the
// state is, agrees.
func (x *Exchange) Attest(ctx context.Context, validators []directory.Peer, s State, holder protocol.Hotkey) Attestation {
	end := x.endIfKnown(ctx, s.Window)
	said := make([]Attestation, len(validators))
	x.Clock.Each(len(validators), looksAtOnce, func(i int) {
		if v := validators[i]; v.Hotkey == holder {
			said[i].Agree = v.Stake
		} else {
			said[i] = x.word(ctx, v, s, end)
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
	}
	return a
}

// word is what one validator has said of a state.
func (x *Exchange) word(ctx context.Context, v directory.Peer, s State, end *chain.Block) (a Attestation) {
	sample, verdict := x.Sample(ctx, v, s.Window)
	if verdict == protocol.VerdictUnreachable {
		a.Unreachable = []protocol.Hotkey{v.Hotkey}
	}
	if !verdict.OK() {
		return a
	}
	var ours []float32
	if end != nil {
		ours = x.SampleOf(s.Params, *end, v.Hotkey)
	}
	switch same := sample.State == s.Hash && sample.Aggregate == s.Aggregate; {
	case same && (end == nil || slices.Equal(sample.Values, ours)):
		a.Agree, a.Signers = v.Stake, []protocol.Hotkey{v.Hotkey}
	case same:
	case end == nil:
		a.Against, a.Apart = v.Stake, math.NaN()
	default:
		a.Against = v.Stake
		a.Apart = score.Compare(ours, sample.Values, x.Params.LearningRateAt(s.Step-1)).Steps
	}
	return a
}

// endIfKnown is the block that ended a window; nil where the chain does not tell it any more,
// or there is none to ask.
func (x *Exchange) endIfKnown(ctx context.Context, w protocol.Window) *chain.Block {
	if x.Chain == nil {
		return nil
	}
	end, err := x.Chain.Block(ctx, x.Params.FirstBlock(w+1))
	if err != nil {
		return nil
	}
	return &end
}
