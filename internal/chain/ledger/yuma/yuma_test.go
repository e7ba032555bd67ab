package yuma

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

const vectorFile = "../../../../testkit/vectors/yuma_cases.json"

type vectors struct {
	MaxUpscale []struct{ In, Out []uint16 } `json:"max_upscale_u16"`
	Median     []struct {
		Stake, Score     []float64
		Majority, Expect float64
	} `json:"weighted_median"`
	MedianCol []struct {
		Stake    []float64
		Weights  [][]float64
		Majority float64
		Expect   []float64
	} `json:"weighted_median_col"`
	Graph512 struct {
		N          int    `json:"n"`
		Validators int    `json:"validators"`
		StakeEach  uint64 `json:"stake_each"`
		Expect     struct {
			Validator, Server struct {
				Consensus, Incentive, Dividends uint16
				Emission                        uint64
				Bonds                           uint16 `json:"bonds_to_server"`
			}
		} `json:"expect_step3"`
	} `json:"test_512_graph"`
}

func load(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMaxUpscale(t *testing.T) {
	for _, c := range load(t).MaxUpscale {
		if got := MaxUpscale(c.In); !slices.Equal(got, c.Out) {
			t.Errorf("%v -> %v, want %v", c.In, got, c.Out)
		}
	}
}

func fromFloats(v []float64) []fixed {
	out := make([]fixed, len(v))
	for i, x := range v {
		out[i] = fixed(x * float64(one))
	}
	return out
}

func TestWeightedMedian(t *testing.T) {
	for _, c := range load(t).Median {
		all := make([]int, len(c.Stake))
		for i := range all {
			all[i] = i
		}
		f := fromFloats([]float64{1 - c.Majority, c.Expect})
		stake := fromFloats(c.Stake)
		if got := weightedMedian(stake, fromFloats(c.Score), all, f[0], 0, sum(stake)); got != f[1] {
			t.Errorf("%v: got %v", c, float64(got)/float64(one))
		}
	}
	for _, c := range load(t).MedianCol {
		w := make(matrix, len(c.Stake))
		for i, row := range c.Weights {
			for j, v := range fromFloats(row) {
				w[i] = append(w[i], cell{j, v})
			}
		}
		got := consensus(w, fromFloats(c.Stake), fromFloats([]float64{c.Majority})[0])
		if want := fromFloats(c.Expect); !slices.Equal(got[:len(want)], want) {
			t.Errorf("%v: got %v", c, got)
		}
	}
}

// TestGraph512 is the large case, described in words in the vector file: one epoch
// hands out permits, then three follow with equal weights on all servers.
func TestGraph512(t *testing.T) {
	c := load(t).Graph512
	in := Input{
		Block: 1, Tempo: 360, ActivityCutoff: 5000, MaxValidators: c.Validators, Owner: NoOwner,
		Kappa: 32767, BondsPenalty: 65535, BondsAverage: 900000, Emission: 1e9,
		Stake: make([]uint64, c.N), Registered: make([]uint64, c.N), LastUpdate: make([]uint64, c.N),
		Permit: make([]bool, c.N), Weights: make([][]Entry, c.N), Bonds: make([][]Entry, c.N),
	}
	for i := range c.Validators {
		in.Stake[i], in.LastUpdate[i] = c.StakeEach, 1
		for j := c.Validators; j < c.N; j++ {
			in.Weights[i] = append(in.Weights[i], Entry{uint16(j), 65535})
		}
	}
	var out Output
	for range 4 {
		var err error
		if out, err = Run(in); err != nil {
			t.Fatal(err)
		}
		in.Permit, in.Bonds = out.Permit, out.Bonds
	}
	for i := range c.N {
		want := c.Expect.Server
		if i < c.Validators {
			want = c.Expect.Validator
			for _, b := range out.Bonds[i] {
				if b.Value != want.Bonds {
					t.Fatalf("bond of %d on %d is %d, want %d", i, b.UID, b.Value, want.Bonds)
				}
			}
		}
		if out.Consensus[i] != want.Consensus || out.Incentive[i] != want.Incentive || out.Dividends[i] != want.Dividends || out.Emission[i] != want.Emission {
			t.Fatalf("uid %d: %d %d %d %d, want %+v", i, out.Consensus[i], out.Incentive[i], out.Dividends[i], out.Emission[i], want)
		}
	}
}

func TestRunRefusesBrokenInput(t *testing.T) {
	good := func() Input {
		return Input{
			Owner: NoOwner, Stake: []uint64{1, 1}, Registered: make([]uint64, 2), LastUpdate: make([]uint64, 2),
			Permit: make([]bool, 2), Weights: make([][]Entry, 2), Bonds: make([][]Entry, 2),
		}
	}
	if _, err := Run(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Input){
		"short column":  func(in *Input) { in.Permit = nil },
		"unknown uid":   func(in *Input) { in.Weights[0] = []Entry{{2, 1}} },
		"duplicate uid": func(in *Input) { in.Bonds[1] = []Entry{{1, 1}, {1, 1}} },
		"owner":         func(in *Input) { in.Owner = 2 },
		"average":       func(in *Input) { in.BondsAverage = 1_000_001 },
		"liquid alpha":  func(in *Input) { in.LiquidAlpha = &LiquidAlpha{Low: 2, High: 1} },
	} {
		in := good()
		spoil(&in)
		if _, err := Run(in); err == nil || !strings.HasPrefix(err.Error(), "yuma: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
