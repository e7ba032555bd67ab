// Package yuma is Yuma consensus: it turns the weights that staked validators set on
// the neurons of a subnet into incentive for those that are weighted, dividends for
// the validators, and permits for the next epoch.
//
// It follows the sparse epoch of Bittensor's subtensor pallet as of June 2026, with
// classic bonds or Yuma3's, in the same 32.32 fixed-point arithmetic, so that the 16-bit
// results agree exactly on every architecture. It is a pure function of its Input.
//
// What a hostile validator gains is bounded by the stake-weighted median: a weight
// above what kappa of the active stake supports is clipped, and loses bonds.
package yuma

import (
	"fmt"
	"slices"
)

// Entry is one element of a stored row: a weight or a bond on UID.
type Entry struct{ UID, Value uint16 }

// NoOwner is the Owner of a subnet without one.
const NoOwner = -1

// Input is the state before an epoch. Slices have one element for each uid; rows
// ascend by uid without duplicates.
type Input struct {
	Block          uint64
	LastEpochBlock uint64 // 0: there was none
	Tempo          uint64 // blocks
	ActivityCutoff uint64 // blocks without weights after which stake does not count
	StakeThreshold uint64
	MaxValidators  int
	Owner          int    // uid, or NoOwner
	Kappa          uint16 // share of 65535 of the stake that makes a majority
	BondsPenalty   uint16 // share of 65535
	BondsAverage   uint32 // share of 1e6 that old bonds keep
	Emission       uint64 // to be split
	Yuma3          bool
	LiquidAlpha    *LiquidAlpha // with Yuma3; nil is off

	Stake      []uint64 // less than 2^64 in all
	Registered []uint64 // block
	LastUpdate []uint64 // block of the last weights
	Permit     []bool   // from the epoch before
	Weights    [][]Entry
	Bonds      [][]Entry
}

// Output is the state after an epoch, by uid. 16-bit values are shares of 65535.
type Output struct {
	Active            []bool
	Permit            []bool
	StakeWeight       []uint16
	Consensus         []uint16
	Incentive         []uint16
	Dividends         []uint16
	ValidatorTrust    []uint16
	ServerEmission    []uint64
	ValidatorEmission []uint64
	Emission          []uint64
	Bonds             [][]Entry
}

// Run computes one epoch.
func Run(in Input) (Output, error) {
	if err := in.check(); err != nil {
		return Output{}, fmt.Errorf("yuma: %w", err)
	}
	stake := in.stakeShares()
	active := in.active()
	permit := in.withOwner(slices.Clone(in.Permit))
	next := in.withOwner(topPositive(stake, in.MaxValidators))
	voting := in.votingStake(stake, active, permit)

	w := in.weights(permit)
	agreed := consensus(w, voting, proportion(in.Kappa))
	clipped := w.mapped(func(_ int, c cell) (fixed, bool) {
		top := agreed[c.col]
		return min(c.v, top), c.v <= top || top > 0
	})
	trust := make([]fixed, len(w))
	for i := range clipped {
		trust[i] = clipped.rowSum(i)
	}
	rank := clipped.rowScaled(voting).colSums()
	incentive := normalized(rank, sum(rank))

	weights := interpolated(w, clipped, proportion(in.BondsPenalty))
	keep := ratio(uint64(in.BondsAverage), 1_000_000)
	var bonds, stored matrix
	var dividends []fixed
	if in.Yuma3 {
		bonds, dividends = in.yuma3(weights, agreed, voting, incentive, keep)
		stored = bonds
	} else {
		bonds, dividends = in.classic(weights, voting, incentive, keep)
		stored = bonds.colUpscaled()
	}

	out := Output{
		Active: active, Permit: next,
		StakeWeight: allU16(stake), Consensus: allU16(agreed), Incentive: allU16(incentive),
		Dividends: allU16(dividends), ValidatorTrust: allU16(trust),
		Bonds: storedBonds(stored, next),
	}
	in.split(&out, incentive, dividends, voting, stake)
	return out, nil
}

func (in *Input) check() error {
	n := len(in.Stake)
	if len(in.Registered) != n || len(in.LastUpdate) != n || len(in.Permit) != n || len(in.Weights) != n || len(in.Bonds) != n {
		return fmt.Errorf("columns of unequal length beside %d stakes", n)
	}
	if in.BondsAverage > 1_000_000 || in.Owner >= n {
		return fmt.Errorf("bonds average %d or owner %d out of range", in.BondsAverage, in.Owner)
	}
	if a := in.LiquidAlpha; a != nil && a.Low > a.High {
		return fmt.Errorf("liquid alpha from %d to %d", a.Low, a.High)
	}
	for _, rows := range [][][]Entry{in.Weights, in.Bonds} {
		for _, row := range rows {
			for k, e := range row {
				if int(e.UID) >= n || (k > 0 && row[k-1].UID >= e.UID) {
					return fmt.Errorf("row names uid %d out of order or of %d", e.UID, n)
				}
			}
		}
	}
	return nil
}

// stakeShares normalises the stake that reaches the threshold.
func (in *Input) stakeShares() []fixed {
	counted := make([]uint64, len(in.Stake))
	var total uint64
	for i, s := range in.Stake {
		if s >= in.StakeThreshold || i == in.Owner {
			counted[i] = s
			total += s
		}
	}
	out := make([]fixed, len(counted))
	for i, s := range counted {
		out[i] = ratio(s, total)
	}
	return out
}

func (in *Input) active() []bool {
	out := make([]bool, len(in.Stake))
	for i, at := range in.LastUpdate {
		out[i] = at+in.ActivityCutoff >= in.Block
	}
	return out
}

func (in *Input) withOwner(permit []bool) []bool {
	if in.Owner >= 0 {
		permit[in.Owner] = true
	}
	return permit
}

// topPositive marks the k largest positive values, on a tie the higher index.
func topPositive(v []fixed, k int) []bool {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(v[a], v[b]) })
	out := make([]bool, len(v))
	for _, i := range order[max(len(v)-k, 0):] {
		out[i] = v[i] > 0
	}
	return out
}

func compare(a, b fixed) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// votingStake is the stake of active validators that held a permit, normalised.
func (in *Input) votingStake(stake []fixed, active, permit []bool) []fixed {
	out := make([]fixed, len(stake))
	for i, s := range stake {
		if active[i] && permit[i] {
			out[i] = s
		}
	}
	return normalized(out, sum(out))
}

// weights drops rows without a permit, weights on oneself (but the owner's), and
// weights that are not newer than the registration of their target.
func (in *Input) weights(permit []bool) matrix {
	return filtered(in.Weights, integer, func(i, j int) bool {
		return permit[i] && (i != j || i == in.Owner) && in.LastUpdate[i] > in.Registered[j]
	}).rowNormalized()
}

// classic returns bonds that follow the stake-weighted weights, and the dividends.
func (in *Input) classic(weights matrix, voting, incentive []fixed, keep fixed) (bonds matrix, dividends []fixed) {
	fresh := weights.rowScaled(voting).colNormalized()
	bonds = blended(in.kept(integer).colNormalized(), fresh, one-keep).colNormalized()
	earned := bonds.times(incentive)
	return bonds, normalized(earned, sum(earned))
}

// kept is the stored bonds but those on neurons that registered since the last epoch.
func (in *Input) kept(value func(uint16) fixed) matrix {
	last := in.LastEpochBlock + 1
	if in.LastEpochBlock == 0 {
		last = in.Block - min(in.Tempo, in.Block)
	}
	return filtered(in.Bonds, value, func(_, j int) bool { return in.Registered[j] < last })
}

// storedBonds keeps the rows of those with a permit.
func storedBonds(m matrix, permit []bool) [][]Entry {
	out := make([][]Entry, len(m))
	for i, row := range m {
		if !permit[i] {
			continue
		}
		for _, c := range row {
			out[i] = append(out[i], Entry{uint16(c.col), toU16(c.v)})
		}
	}
	return out
}

// split shares the emission half and half between servers and validators; with
// neither incentive nor dividends, by stake.
func (in *Input) split(out *Output, incentive, dividends, voting, stake []fixed) {
	both := make([]fixed, len(stake))
	for i := range both {
		both[i] = add(incentive[i], dividends[i])
	}
	total := sum(both)
	server, validator, all := normalized(incentive, total), normalized(dividends, total), normalized(both, total)
	if total == 0 {
		if sum(voting) == 0 {
			voting = stake
		}
		validator, all = voting, voting
	}
	out.ServerEmission, out.ValidatorEmission, out.Emission = in.amounts(server), in.amounts(validator), in.amounts(all)
}

func (in *Input) amounts(shares []fixed) []uint64 {
	out := make([]uint64, len(shares))
	for i, s := range shares {
		out[i] = share(s, in.Emission)
	}
	return out
}

// MaxUpscale scales values so that the largest is 65535, rounding half up: the form
// in which weights are stored.
func MaxUpscale(v []uint16) []uint16 {
	out := make([]uint16, len(v))
	if len(v) == 0 || slices.Max(v) == 0 {
		return out
	}
	const half = one / 2
	top, full := integer(slices.Max(v)), integer(1<<16-1)
	for i, x := range v {
		scaled := mul(integer(x), div(full, top))
		if top <= integer(1<<15) { // the product fits: multiply first, lose less
			scaled = div(fixed(uint64(x)*uint64(1<<16-1)<<32), top)
		}
		out[i] = uint16((scaled + half) >> 32)
	}
	return out
}
