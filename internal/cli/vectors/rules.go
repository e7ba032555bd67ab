package vectors

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"templar/internal/score"
	"templar/method/dctsign"
)

type game struct {
	Beta, Tau, Mu, Sigma float64
	Rounds               []struct {
		UIDs   []int
		Scores []float64
		After  map[string]struct{ Mu, Sigma, Ordinal float64 }
	}
}

func verifyRatings(b []byte) ([]Case, error) {
	var games []game
	if err := json.Unmarshal(b, &games); err != nil {
		return nil, err
	}
	var cases []Case
	for i := range games {
		name := fmt.Sprintf("%d: %d rounds, beta %g, tau %g", i, len(games[i].Rounds), games[i].Beta, games[i].Tau)
		cases = append(cases, within(name, games[i].play(), ruleTolerance))
	}
	return cases, nil
}

// play rates all rounds and returns the largest difference to the ratings after each.
func (g *game) play() (worst float64) {
	ratings := map[int]score.Rating{}
	for _, round := range g.Rounds {
		if len(round.Scores) != len(round.UIDs) {
			return math.NaN()
		}
		players := make([]score.Rating, len(round.UIDs))
		for k, uid := range round.UIDs {
			if _, ok := ratings[uid]; !ok {
				ratings[uid] = score.Rating{Mu: g.Mu, Sigma: g.Sigma}
			}
			players[k] = ratings[uid]
		}
		for k, r := range score.Rate(players, round.Scores, g.Beta, g.Tau) {
			ratings[round.UIDs[k]] = r
			want, ok := round.After[strconv.Itoa(round.UIDs[k])]
			if !ok {
				return math.NaN()
			}
			worst = max(worst, math.Abs(r.Mu-want.Mu), math.Abs(r.Sigma-want.Sigma), math.Abs(r.Ordinal()-want.Ordinal))
		}
	}
	return worst
}

func verifySchedule(b []byte) ([]Case, error) {
	var v struct {
		Base   float64            `json:"base_lr"`
		Warmup int                `json:"warmup_steps"`
		TMax   int                `json:"t_max"`
		TMult  int                `json:"t_mult"`
		Floor  float64            `json:"eta_min_factor"`
		Rates  map[string]float64 `json:"lr_at_step"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	if v.TMult != 2 || v.Floor != 0.1 || v.TMax < 1 {
		return nil, fmt.Errorf("t_mult %d, eta_min_factor %g, t_max %d: the schedule has 2, 0.1 and at least 1", v.TMult, v.Floor, v.TMax)
	}
	p := dctsign.Params{LearningRate: v.Base, WarmupSteps: v.Warmup, TMax: v.TMax}
	steps := make([]uint64, 0, len(v.Rates))
	for text := range v.Rates {
		step, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	slices.Sort(steps)
	var cases []Case
	for _, step := range steps {
		text := strconv.FormatUint(step, 10)
		cases = append(cases, within("step "+text, math.Abs(p.RateAt(step)-v.Rates[text]), ruleTolerance))
	}
	return cases, nil
}
