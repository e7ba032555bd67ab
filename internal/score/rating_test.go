package score

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// The vectors hold OpenSkill's ratings: partial play, ties, two pairs of beta and tau.
func TestRateMatchesOpenSkill(t *testing.T) {
	raw, err := os.ReadFile("../../testkit/vectors/plackett_luce.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Beta, Tau, Mu, Sigma float64
		Rounds               []struct {
			UIDs   []int
			Scores []float64
			After  map[string]struct{ Mu, Sigma, Ordinal float64 }
		}
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		ratings := map[int]Rating{}
		for j, round := range c.Rounds {
			players := make([]Rating, len(round.UIDs))
			for k, uid := range round.UIDs {
				if _, ok := ratings[uid]; !ok {
					ratings[uid] = Rating{c.Mu, c.Sigma}
				}
				players[k] = ratings[uid]
			}
			for k, r := range Rate(players, round.Scores, c.Beta, c.Tau) {
				ratings[round.UIDs[k]] = r
				want := round.After[strconv.Itoa(round.UIDs[k])]
				if !near(r.Mu, want.Mu) || !near(r.Sigma, want.Sigma) || !near(r.Ordinal(), want.Ordinal) {
					t.Fatalf("case %d round %d uid %d: got %v ordinal %v, want %v", i, j, round.UIDs[k], r, r.Ordinal(), want)
				}
			}
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9 }

func TestRateOfAStrangeGame(t *testing.T) {
	fresh := Rating{InitialMu, InitialSigma}
	if got := Rate([]Rating{fresh}, []float64{1}, 20, 0.1); got[0] != fresh {
		t.Errorf("alone: %v", got)
	}
	got := Rate([]Rating{fresh, fresh, {1e6, 1}}, []float64{math.NaN(), 0, math.Inf(1)}, 20, 0.1)
	if !(got[0].Mu < got[1].Mu) {
		t.Errorf("NaN must lose: %v", got)
	}
	for _, r := range got {
		if math.IsNaN(r.Mu+r.Sigma) || math.IsInf(r.Mu+r.Sigma, 0) || r.Sigma <= 0 {
			t.Errorf("not a rating: %v", got)
		}
	}
}
