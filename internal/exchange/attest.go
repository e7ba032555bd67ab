package exchange

import (
	"context"
	"fmt"
	"slices"

	"templar/protocol"
)

// Attestation is how many validators' stake stands behind a state.
type Attestation struct {
	Agree   uint64
	Against uint64
	Total   uint64 // of all validators asked, those without a word included
	// Unreachable are the validators whose stores did not answer.
	Unreachable []protocol.Hotkey
}

// Contradicted reports whether more stake holds other parameters than these.
func (a Attestation) Contradicted() bool { return a.Against > a.Agree }

// Outvoted reports whether more than half of all stake holds other parameters.
func (a Attestation) Outvoted() bool { return a.Against > a.Total/2 }

// Attest holds the parameters after window w, whose Aggregate is given, against the sync
// samples of validators: each has told, at places of its own that nobody could foresee,
// what it holds. Who has no sample of w, or none that can be read, says nothing; the stake
// of holder, whose word the parameters are, agrees.
func (x *Exchange) Attest(ctx context.Context, validators []Peer, w protocol.Window, aggregate protocol.Hash, params []float32, holder protocol.Hotkey) (a Attestation, err error) {
	end, err := x.Chain.Block(ctx, x.Params.FirstBlock(w+1))
	if err != nil {
		return a, fmt.Errorf("end of window %d: %w", w, err)
	}
	said := make([]Attestation, len(validators))
	x.Clock.Each(len(validators), looksAtOnce, func(i int) {
		v := validators[i]
		said[i].Total = v.Stake
		if v.Hotkey == holder {
			said[i].Agree = v.Stake
			return
		}
		sample, verdict := x.Sample(ctx, v, w)
		switch {
		case verdict == protocol.VerdictUnreachable:
			said[i].Unreachable = []protocol.Hotkey{v.Hotkey}
		case !verdict.OK():
		case sample.Aggregate == aggregate && slices.Equal(sample.Values, x.SampleOf(params, end, v.Hotkey)):
			said[i].Agree = v.Stake
		default:
			said[i].Against = v.Stake
		}
	})
	for _, s := range said {
		a.Agree += s.Agree
		a.Against += s.Against
		a.Total += s.Total
		a.Unreachable = append(a.Unreachable, s.Unreachable...)
	}
	return a, nil
}
