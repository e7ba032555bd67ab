package score

import "math"

// Every miner begins with this rating.
const (
	InitialMu    = 25.0
	InitialSigma = 25.0 / 3
)

// kappa keeps the variance's factor positive (Weng and Lin 2011, section 6).
const kappa = 1e-4

// Rating is a belief about a miner's skill: a normal distribution.
type Rating struct {
	Mu    float64 `json:"mu"`
	Sigma float64 `json:"sigma"`
}

// Ordinal is a skill that the miner has with high probability: mu - 3 sigma. The conversion
// keeps the product from being fused, so that it is the same number on every architecture.
func (r Rating) Ordinal() float64 { return r.Mu - float64(3*r.Sigma) }

// Rate returns the ratings after one game of single players, of whom higher scores
// are better and equal scores tie. It is the Plackett-Luce model of Weng and Lin, "A
// Bayesian Approximation Method for Online Ranking" (JMLR 12, 2011, algorithm 4), as
// OpenSkill has it: variances grow by tau^2 before the game, gamma = sigma/c, and
// sigma may grow. A NaN score loses against every number. With fewer than two players
// nothing was played and the ratings are returned as they came.
func Rate(players []Rating, scores []float64, beta, tau float64) []Rating {
	out := append([]Rating(nil), players...)
	if len(players) < 2 {
		return out
	}
	g := newGame(out, scores, beta, tau)
	for i := range out {
		omega, delta := g.update(i)
		variance := g.variance[i]
		gamma := math.Sqrt(variance) / g.c
		out[i].Mu += variance / g.c * omega
		out[i].Sigma = math.Sqrt(variance * max(1-gamma*variance/(g.c*g.c)*delta, kappa))
	}
	return out
}

// game is what all players of one game share.
type game struct {
	score    []float64
	variance []float64 // sigma^2 + tau^2
	c        float64   // sqrt(sum of variances and beta^2)
	strength []float64 // e^(mu/c), scaled by a common factor
	rest     []float64 // sum of the strengths of the players that did not beat q
	tied     []float64 // number of players with q's score, q included
}

func newGame(players []Rating, scores []float64, beta, tau float64) *game {
	n := len(players)
	g := &game{
		score: make([]float64, n), variance: make([]float64, n),
		strength: make([]float64, n), rest: make([]float64, n), tied: make([]float64, n),
	}
	best, total := math.Inf(-1), 0.0
	for i, p := range players {
		g.score[i] = scores[i]
		if math.IsNaN(scores[i]) {
			g.score[i] = math.Inf(-1)
		}
		g.variance[i] = p.Sigma*p.Sigma + tau*tau
		total += g.variance[i] + beta*beta
		best = max(best, p.Mu)
	}
	g.c = math.Sqrt(total)
	for i, p := range players {
		// The common factor e^(-best/c) cancels out; with the bound no strength
		// overflows or becomes zero.
		g.strength[i] = math.Exp(max((p.Mu-best)/g.c, -700))
	}
	for q := range players {
		for i := range players {
			if g.score[i] <= g.score[q] {
				g.rest[q] += g.strength[i]
			}
			if g.score[i] == g.score[q] {
				g.tied[q]++
			}
		}
	}
	return g
}

// update returns the sums over the places q that i did not take from a better player:
// omega, the gradient of the log likelihood in mu/c, and delta, its curvature.
func (g *game) update(i int) (omega, delta float64) {
	for q := range g.score {
		if g.score[q] < g.score[i] {
			continue
		}
		p := g.strength[i] / g.rest[q]
		delta += p * (1 - p) / g.tied[q]
		if q == i {
			omega += (1 - p) / g.tied[q]
		} else {
			omega -= p / g.tied[q]
		}
	}
	return omega, delta
}
