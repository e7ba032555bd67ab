package scores

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"templar/internal/adversary"
	"templar/internal/score"
	"templar/protocol"
)

// payMixes have each kind once, so that all seeds have each kind.
var payMixes = []struct {
	name, mix string
	part      []int
	thin      int
}{
	{"pay-plain", "", nil, 0},
	{"pay-statistics", "noise,copycat-evasive,copycat-perturbed,stale,flipped,huge,wrong-pages", []int{2, 2, 1}, 0},
	{"pay-thin", "", nil, 2},
	{"pay-colluders", "blend,blend-own,frame,collude=3,withhold", nil, 0},
	{"pay-groups", "copycat,copycat-permuted,sybil=3,desync,lazy,honest-then-lazy,early,late", nil, 0},
	{"pay-verdicts", "nan,inf,oversized,truncated,wrong-signature,impostor,junk=3,zero-key", nil, 0},
}

// payRuns are the runs of each mix: eight honest miners that train on four batches a window, and the mix.
func payRuns(t *testing.T) (out []result) {
	t.Helper()
	for _, m := range payMixes {
		for seed := 1; seed <= or(*seeds, 10); seed++ {
			n := network{
				Name: m.name, Seed: uint64(seed), Windows: or(*windows, 40), Small: true, Mix: m.mix, Part: m.part, Thin: m.thin, CheatersFirst: seed%2 == 0,
				Batches: []int{4, 4, 4, 4, 4, 4, 4, 4},
			}
			if *only != "" && *only != m.name {
				continue
			}
			if _, err := os.Stat(n.file()); err == nil || !*present {
				out = append(out, recorded(t, n, book(t)))
			}
		}
	}
	return out
}

// TestPay measures what each kind of miner is paid, by the rules of new runs and by those of Templar v0.2.82.
func TestPay(t *testing.T) {
	if *study != "pay" {
		t.Skip("a study: -study pay")
	}
	runs := payRuns(t)
	for i := range runs {
		runs[i].requireTrue(t)
	}
	t.Logf("pay by kind\n%s", payTable(t, runs))
	t.Logf("steps from the described rule\n%s", stepsTable(t, runs))
	t.Logf("detection by kind\n%s", kindsTable(t, runs, rule{}))
	if *picture != "" {
		plotAreas(t, runs, *picture)
	}
	windows, reasons := wronged(runs)
	t.Logf("%d windows of honest miners: %v", windows, reasons)
	t.Logf("measurements: %s", calibration(runs))
}

// wages is the pay of the miners of a run by a rule: their shares of the weights, in the mean over the windows with
// weights, and at the end.
type wages struct{ whole, end map[protocol.UID]float64 }

func (r *result) wages(t *testing.T, by rule) wages {
	t.Helper()
	p := protocol.Default()
	if by.params != nil {
		by.params(&p)
	}
	out, paid := wages{map[protocol.UID]float64{}, map[protocol.UID]float64{}}, 0.0
	for _, b := range r.books(t, by) {
		clear(out.end)
		for _, w := range b.Weights(p.PowerNormalisation) {
			out.end[w.UID] = w.Share
			out.whole[w.UID] += w.Share
		}
		if len(out.end) > 0 {
			paid++
		}
	}
	for uid := range out.whole {
		out.whole[uid] /= paid
	}
	return out
}

// honestOf returns what each honest miner of a run has.
func (r *result) honestOf(pay map[protocol.UID]float64) (out []float64) {
	for _, m := range r.Miners {
		if m.Kind == "" {
			out = append(out, pay[m.UID])
		}
	}
	return out
}

// worth is the work of a miner in units of an honest one's: that of kinds which do an honest miner's work, or a part of it.
func (m *miner) worth(full int) float64 {
	switch label := m.label(); {
	case label == honest || label == string(adversary.Huge) || label == firstSybil || label == string(adversary.Collude) || label == string(adversary.BlendOwn):
		return 1
	case label == thin:
		return 0.5
	case m.Batches < full:
		return float64(m.Batches) / float64(full)
	}
	return 0
}

// fair is an honest miner's share by work.
func (r *result) fair() float64 {
	sum := 0.0
	for _, m := range r.Miners {
		sum += m.worth(r.Batches[0])
	}
	return 1 / sum
}

// payOf is a kind's pay in each run that has it, relative to the mean honest miner's: of each of its miners.
type payOf struct{ whole, end []float64 }

// pays returns the pay of all kinds, and the honest miners' relative to a fair share.
func pays(t *testing.T, runs []result, by rule) map[string]*payOf {
	out := map[string]*payOf{}
	add := func(kind string, whole, end float64) {
		if out[kind] == nil {
			out[kind] = &payOf{}
		}
		out[kind].whole, out[kind].end = append(out[kind].whole, whole), append(out[kind].end, end)
	}
	for i := range runs {
		r := &runs[i]
		pay := r.wages(t, by)
		whole, end := stat.Mean(r.honestOf(pay.whole), nil), stat.Mean(r.honestOf(pay.end), nil)
		groups := map[string][]protocol.UID{}
		for _, m := range r.Miners {
			groups[m.label()] = append(groups[m.label()], m.UID)
		}
		for kind, uids := range groups {
			var w, e float64
			for _, uid := range uids {
				w, e = w+pay.whole[uid]/float64(len(uids)), e+pay.end[uid]/float64(len(uids))
			}
			if kind == honest {
				add(honest+", "+r.Name, whole/r.fair(), end/r.fair())
				continue
			}
			add(kind, w/whole, e/end)
		}
	}
	return out
}

// payTable shows the pay of each kind by both rules.
func payTable(t *testing.T, runs []result) *table {
	now, before := pays(t, runs, rule{}), pays(t, runs, describedRule)
	out := header("kind", "runs", "over the run", "at the end", "described, over the run", "described, at the end")
	for _, kind := range slices.Sorted(maps.Keys(now)) {
		n, b := now[kind], before[kind]
		out.add(kind, len(n.whole), estimate(n.whole), estimate(n.end), estimate(b.whole), estimate(b.end))
	}
	return out
}

// estimate is a mean with its interval, which two values do not give.
func estimate(values []float64) string {
	mean, half := interval(values)
	if len(values) < 3 {
		return fmt.Sprintf("%.3f", mean)
	}
	return fmt.Sprintf("%.3f ± %.3f", mean, half)
}

var describedRule = rule{name: "described (Templar v0.2.82)", params: (*protocol.Params).DescribedScores}

// steps lead from the described rule to that of new runs, each from the one before.
var steps = []rule{
	describedRule,
	{name: "openskill_beta 25/6", params: func(p *protocol.Params) { p.DescribedScores(); p.OpenSkillBeta = 25.0 / 6 }},
	{name: "and power_normalisation 1", params: func(p *protocol.Params) {
		p.DescribedScores()
		p.OpenSkillBeta, p.PowerNormalisation = 25.0/6, 1
	}},
	{name: "`work`: the mean gain for the ordinal, an average without start, over all pages together", params: plainWork, observe: together},
	{name: "and by batch", params: plainWork, observe: uncontrolled},
	{name: "and with controls", params: plainWork},
	{name: "and score_evidence 2.5", params: func(p *protocol.Params) { p.PowerNormalisation = 1 }},
	{name: "and power_normalisation 1.5: new runs"},
}

func plainWork(p *protocol.Params) { p.PowerNormalisation, p.ScoreEvidence = 1, 0 }

func uncontrolled(o *score.Observation) {
	if o.Losses != nil {
		l := *o.Losses
		l.Control, o.Losses = nil, &l
	}
}

func together(o *score.Observation) {
	if uncontrolled(o); o.Losses != nil {
		o.Losses.Batches = nil
	}
}

// stepsTable shows the gain of each step: the spread of honest pay at the end, honest miners without pay, and the pay of kinds that
// must have none or less.
func stepsTable(t *testing.T, runs []result) *table {
	half := part(runs[0].Batches[0]/2, runs[0].Batches[0])
	kinds := []string{half, string(adversary.CopycatEvasive), string(adversary.WrongPages), string(adversary.Stale), string(adversary.Noise)}
	out := header(append([]string{"rule", "spread of honest pay", "honest without pay", "least honest share"}, kinds...)...)
	for _, by := range steps {
		var spreads, shares []float64
		unpaid := 0
		for i := range runs {
			end := runs[i].honestOf(runs[i].wages(t, by).end)
			spread, without := inequality(end)
			spreads, unpaid = append(spreads, spread), unpaid+without
		}
		pay := pays(t, runs, by)
		for kind, p := range pay {
			if len(kind) > len(honest) && kind[:len(honest)+1] == honest+"," {
				shares = append(shares, stat.Mean(p.whole, nil))
			}
		}
		row := []any{by.name, stat.Mean(spreads, nil), unpaid, slices.Min(shares)}
		for _, kind := range kinds {
			row = append(row, cell(pay[kind]))
		}
		out.add(row...)
	}
	return out
}

func cell(p *payOf) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%.3f", stat.Mean(p.whole, nil))
}

// calibration is what the synthetic network is made from: the share of honest miners' own batches that fit, with
// controls and without, and the variation of their gains within a window.
func calibration(runs []result) string {
	var fits, alone, batches, variation, n float64
	for i := range runs {
		r := &runs[i]
		for _, one := range r.Reports {
			var gains []float64
			lines := make([]score.Line, len(one.Miners))
			for k := range one.Miners {
				lines[k] = one.Miners[k].Line
			}
			for _, m := range r.Miners {
				k := slices.IndexFunc(lines, func(l score.Line) bool { return l.UID == m.UID })
				if m.Kind != "" || k < 0 || !lines[k].Evaluated {
					continue
				}
				sum, of := score.Fit(lines, &lines[k])
				free := lines[k]
				uncontrolled(&free.Observation)
				single, _ := score.Fit(lines, &free)
				fits, alone, batches = fits+sum, alone+single, batches+of
				gains = append(gains, lines[k].Random)
			}
			if mean, deviation := stat.MeanStdDev(gains, nil); mean > 0.002 {
				variation, n = variation+deviation/mean, n+1
			}
		}
	}
	return fmt.Sprintf("%.0f batches: binary average %.3f with controls, %.3f without; gains vary by %.3f", batches, fits/batches, alone/batches, variation/cmp.Or(n, 1))
}
