package scores

import (
	"testing"

	"gonum.org/v1/gonum/stat"

	"templar/internal/adversary"
	"templar/internal/score"
	"templar/protocol"
)

// changed is the described rule with a change.
func changed(f func(*protocol.Params)) func(*protocol.Params) {
	return func(p *protocol.Params) {
		p.DescribedScores()
		f(p)
	}
}

// rules are that of new runs, the described one, and changes to it.
var rules = []rule{
	{name: "new runs"},
	describedRule,
	{name: "binary_score_ma_alpha 0.02", params: changed(func(p *protocol.Params) { p.BinaryScoreAlpha = 0.02 })},
	{name: "binary_score_ma_alpha 0.1", params: changed(func(p *protocol.Params) { p.BinaryScoreAlpha = 0.1 })},
	{name: "binary_score_ma_alpha 0.2", params: changed(func(p *protocol.Params) { p.BinaryScoreAlpha = 0.2 })},
	{name: "openskill_beta 25/6", params: changed(func(p *protocol.Params) { p.OpenSkillBeta = 25.0 / 6 })},
	{name: "copies of the same second not rated", params: (*protocol.Params).DescribedScores, observe: func(o *score.Observation) {
		if o.Copy != nil {
			o.Losses = nil
		}
	}},
	{name: "copies of the same second all rated", params: (*protocol.Params).DescribedScores, observe: func(o *score.Observation) {
		if o.Verdict.OK() {
			o.Copy = nil
		}
	}},
	{name: "no comparison of gradients", params: (*protocol.Params).DescribedScores, observe: func(o *score.Observation) {
		o.Copy = nil
	}},
}

// statistical are the kinds whose uploads are valid.
var statistical = []adversary.Kind{
	adversary.Noise, adversary.Copycat, adversary.CopycatPermuted, adversary.CopycatPerturbed, adversary.CopycatEvasive,
	adversary.Sybil, adversary.Stale, adversary.Flipped, adversary.WrongPages, adversary.Huge,
}

// rulesTable shows the results of other rules on the same runs: the area under the curve of
// all kinds but huge, which does an honest miner's work; of the kind that is detected worst; of huge;
// and the pay of the honest miners, and of the one whose gradient others also sent.
func rulesTable(t *testing.T, runs []result) *table {
	out := header("rule", "area, all but huge", "worst kind", "huge", "honest without weight", "spread of honest pay", "ordinal of a sybil's first")
	for _, by := range rules {
		all, worst := outcomes(t, runs, by), 1.0
		var sum pairs
		for _, k := range statistical {
			f := all[string(k)]
			if f == nil || k == adversary.Huge {
				continue
			}
			sum.above, sum.all = sum.above+f.curve().above, sum.all+f.curve().all
			worst = min(worst, f.curve().area())
		}
		row := []any{by.name, sum.area(), worst, "", unpaidHonest(t, runs, by), spread(t, runs, by), ""}
		if f := all[string(adversary.Huge)]; f != nil {
			row[3] = f.curve().area()
		}
		if f := all[firstSybil]; f != nil {
			row[6] = f.ordinal / float64(f.miners)
		}
		out.add(row...)
	}
	return out
}

// unpaidHonest counts the honest miners without weight at the end.
func unpaidHonest(t *testing.T, runs []result, by rule) (n int) {
	for i := range runs {
		books := runs[i].books(t, by)
		end := books[len(books)-1]
		for _, m := range runs[i].Miners {
			if m.Kind == "" && onChain(end, m.UID, by.power()).Value == 0 {
				n++
			}
		}
	}
	return n
}

// spread is the inequality of pay for equal work: the standard deviation of the honest miners' weights
// over their mean, mean over the runs.
func spread(t *testing.T, runs []result, by rule) (sum float64) {
	for i := range runs {
		books := runs[i].books(t, by)
		var shares []float64
		for _, m := range runs[i].Miners {
			if m.Kind == "" {
				shares = append(shares, onChain(books[len(books)-1], m.UID, by.power()).Share)
			}
		}
		mean, deviation := stat.MeanStdDev(shares, nil)
		sum += deviation / mean / float64(len(runs))
	}
	return sum
}

// power is the exponent of the weights.
func (by rule) power() float64 {
	p := protocol.Default()
	if by.params != nil {
		by.params(&p)
	}
	return p.PowerNormalisation
}

// onChain is a miner's weight in a book; zero when it has none.
func onChain(b score.Book, uid protocol.UID, power float64) score.Weight {
	for _, w := range b.Weights(power) {
		if w.UID == uid {
			return w
		}
	}
	return score.Weight{}
}
