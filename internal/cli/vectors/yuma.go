package vectors

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"templar/internal/chain/ledger/yuma"
)

type sparse map[string][][2]uint16

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

// verifyYuma runs every epoch; its error is the number of fields of the state that
// differ in any place.
func verifyYuma(b []byte) ([]Case, error) {
	var file struct{ Epochs []epoch }
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	var cases []Case
	for i := range file.Epochs {
		e := &file.Epochs[i]
		name := fmt.Sprintf("%s, step %d", e.Case, e.Step)
		if e.In.N < 0 || e.In.N > 1<<16 {
			cases = append(cases, failed(name, fmt.Errorf("%d neurons", e.In.N)))
			continue
		}
		got, err := yuma.Run(e.input())
		if err != nil {
			cases = append(cases, failed(name, err))
			continue
		}
		differ := fieldsThatDiffer(got, e.output())
		c := within(name, float64(len(differ)), 0)
		if len(differ) > 0 {
			c.Fault = strings.Join(differ, ", ")
		}
		cases = append(cases, c)
	}
	return cases, nil
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

func fieldsThatDiffer(got, want yuma.Output) (names []string) {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			names = append(names, g.Type().Field(i).Name)
		}
	}
	return names
}

// rows orders a sparse matrix by uid; uids that do not exist are left out.
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
