package ledger

import (
	"fmt"

	"templar/internal/chain/ledger/yuma"
)

// epoch runs Yuma consensus at the end of a block. At block 0 there are no weights
// yet, and it only hands out permits.
func (l *Ledger) epoch(block uint64) error {
	all, clock := l.state.neurons(), l.state.clock()
	out, err := yuma.Run(l.yumaInput(all, block, clock.lastEpoch))
	if err != nil {
		return fmt.Errorf("ledger: epoch at block %d: %w", block, err)
	}
	for i, n := range all {
		n.Permit = out.Permit[i]
		n.Incentive, n.Dividends, n.Emission = out.Incentive[i], out.Dividends[i], out.Emission[i]
		l.state.putNeuron(n)
		l.state.putRow(keyBonds, n.UID, out.Bonds[i])
	}
	clock.lastEpoch = block
	l.state.putClock(clock)
	return nil
}

func (l *Ledger) yumaInput(all []neuron, block, lastEpoch uint64) yuma.Input {
	p := &l.params
	in := yuma.Input{
		Block: block, LastEpochBlock: lastEpoch, Tempo: p.Tempo,
		ActivityCutoff: p.ActivityCutoff, StakeThreshold: p.StakeThreshold, MaxValidators: p.MaxValidators, Owner: yuma.NoOwner,
		Kappa: p.Kappa, BondsPenalty: p.BondsPenalty, BondsAverage: p.BondsAverage,
		Emission: p.EmissionPerBlock * (block - lastEpoch),
	}
	in.Yuma3 = p.Yuma3
	if p.LiquidAlpha {
		in.LiquidAlpha = &yuma.LiquidAlpha{Low: p.AlphaLow, High: p.AlphaHigh, Steepness: p.AlphaSteepness}
	}
	for _, n := range all {
		in.Stake = append(in.Stake, n.Stake)
		in.Registered = append(in.Registered, n.Registered)
		in.LastUpdate = append(in.LastUpdate, n.LastUpdate)
		in.Permit = append(in.Permit, n.Permit)
		in.Weights = append(in.Weights, l.state.row(keyWeights, n.UID))
		in.Bonds = append(in.Bonds, l.state.row(keyBonds, n.UID))
	}
	return in
}
