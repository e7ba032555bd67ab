// Package epochs reads test vectors of epochs: what went into each, and what another
// implementation made of it (testkit/vectors/yuma_cases.json).
package epochs

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"templar/internal/chain/ledger/yuma"
)

// Epoch is one vector.
type Epoch struct {
	Name string // of its case, with the step
	In   yuma.Input
	Want yuma.Output
}

// Read reads a file of vectors.
func Read(b []byte) ([]Epoch, error) {
	var file struct{ Epochs []epoch }
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	out := make([]Epoch, len(file.Epochs))
	for i := range file.Epochs {
		e := &file.Epochs[i]
		out[i].Name = fmt.Sprintf("%s, step %d", e.Case, e.Step)
		if e.In.N < 0 || e.In.N > 1<<16 {
			return nil, fmt.Errorf("%s: %d neurons", out[i].Name, e.In.N)
		}
		out[i].In, out[i].Want = e.input(), e.output()
	}
	return out, nil
}

// Differ names the fields that differ in any place.
func Differ(got, want yuma.Output) (fields []string) {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			fields = append(fields, g.Type().Field(i).Name)
		}
	}
	return fields
}

// epoch is a vector as it is written.
type epoch struct {
	Case string
	Step int
	In   struct {
		N              int
		Block, Tempo   uint64
		ActivityCutoff uint64 `json:"activity_cutoff"`
		LastEpochBlock uint64 `json:"last_epoch_block"`
		StakeThreshold uint64 `json:"stake_threshold"`
		OwnerUID       int    `json:"owner_uid"`
		MaxValidators  int    `json:"max_validators"`
		Kappa          uint16
		BondsPenalty   uint16 `json:"bonds_penalty"`
		BondsAverage   uint32 `json:"bonds_moving_average"`
		Yuma3          bool
		LiquidAlpha    bool   `json:"liquid_alpha"`
		AlphaSteepness uint16 `json:"alpha_sigmoid_steepness"`
		AlphaLow       uint16 `json:"alpha_low"`
		AlphaHigh      uint16 `json:"alpha_high"`
		Emission       uint64
		Stake          []uint64
		Registered     []uint64
		LastUpdate     []uint64 `json:"last_update"`
		Permits        []bool
		Weights, Bonds sparse
	}
	Out struct {
		ServerEmission    []uint64 `json:"server_emission"`
		ValidatorEmission []uint64 `json:"validator_emission"`
		Emission          []uint64
		Incentive         []uint16
		Dividends         []uint16
		Consensus         []uint16
		ValidatorTrust    []uint16 `json:"validator_trust"`
		StakeWeight       []uint16 `json:"stake_weight"`
		Active, Permits   []bool
		Bonds             sparse
	}
}

func (e *epoch) input() yuma.Input {
	in := &e.In
	out := yuma.Input{
		Block: in.Block, LastEpochBlock: in.LastEpochBlock, Tempo: in.Tempo, ActivityCutoff: in.ActivityCutoff,
		StakeThreshold: in.StakeThreshold, MaxValidators: in.MaxValidators, Owner: in.OwnerUID, Kappa: in.Kappa,
		BondsPenalty: in.BondsPenalty, BondsAverage: in.BondsAverage, Emission: in.Emission, Yuma3: in.Yuma3,
		Stake: in.Stake, Registered: in.Registered, LastUpdate: in.LastUpdate, Permit: in.Permits,
		Weights: in.Weights.rows(in.N), Bonds: in.Bonds.rows(in.N),
	}
	if in.LiquidAlpha {
		out.LiquidAlpha = &yuma.LiquidAlpha{Low: in.AlphaLow, High: in.AlphaHigh, Steepness: in.AlphaSteepness}
	}
	return out
}

func (e *epoch) output() yuma.Output {
	o := &e.Out
	return yuma.Output{
		Active: o.Active, Permit: o.Permits, StakeWeight: o.StakeWeight, Consensus: o.Consensus,
		Incentive: o.Incentive, Dividends: o.Dividends, ValidatorTrust: o.ValidatorTrust,
		ServerEmission: o.ServerEmission, ValidatorEmission: o.ValidatorEmission, Emission: o.Emission,
		Bonds: o.Bonds.rows(e.In.N),
	}
}

// sparse is a matrix: uid to pairs of another uid and a value.
type sparse map[string][][2]uint16

// rows orders a matrix of n neurons by uid; uids that do not exist are left out.
func (m sparse) rows(n int) [][]yuma.Entry {
	out := make([][]yuma.Entry, n)
	for uid, row := range m {
		i, err := strconv.Atoi(uid)
		if err != nil || i < 0 || i >= n {
			continue
		}
		for _, e := range row {
			out[i] = append(out[i], yuma.Entry{UID: e[0], Value: e[1]})
		}
		slices.SortFunc(out[i], func(a, b yuma.Entry) int { return int(a.UID) - int(b.UID) })
	}
	return out
}
