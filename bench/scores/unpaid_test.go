package scores

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"templar/internal/peers"
	"templar/internal/score"
	"templar/protocol"
)

// slowMixes are networks of the preset tiny's 48 batches a window, of which miners train on those that they have time for.
var slowMixes = []struct {
	name    string
	batches []int
	mix     string
}{
	{"all", []int{48, 48, 48, 48}, ""},
	{"slow", []int{10, 10, 10, 10}, ""},
	{"one-slow", []int{24, 24, 24, 6}, ""},
	{"slow-cheaters", []int{10, 10, 10, 10}, "stale,copycat-evasive,noise"},
}

// shortWindows are the tiny preset's, but that a validator samples 12 batches, so that rules with fewer can be tried on the same runs, and that none leaves the list.
func shortWindows(p *protocol.Params) {
	tiny, _ := protocol.Preset("tiny")
	p.PagesPerWindow, p.ValidatorSampleRate, p.ScoreEvidence, p.UnpaidEvaluations = tiny.PagesPerWindow, 0.25, tiny.ScoreEvidence, 0
}

// sampling takes n of the sampled batches of each miner.
func sampling(n int) func(*score.Observation) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	return func(o *score.Observation) {
		if o.Losses == nil || len(o.Losses.Batches) <= n {
			return
		}
		l := *o.Losses
		l.Batches = nil
		for _, i := range rng.Perm(len(o.Losses.Batches))[:n] {
			l.Batches = append(l.Batches, o.Losses.Batches[i])
		}
		o.Losses = &l
	}
}

// TestUnpaid measures how often honest miners that train on a few of many batches are without pay, and how often they would leave the list.
func TestUnpaid(t *testing.T) {
	if *study != "unpaid" {
		t.Skip("a study: -study unpaid")
	}
	out := header("run", "batches sampled", "evidence", "unpaid, windows 10 on", "for 10 windows or more", "off the list, average not positive", "refuted", "cheaters' pay", "spread")
	for _, m := range slowMixes {
		if *only != "" && *only != m.name {
			continue
		}
		var runs []result
		for seed := 1; seed <= or(*seeds, 3); seed++ {
			n := network{Name: "unpaid-" + m.name, Seed: uint64(seed), Windows: or(*windows, 40), Small: true, Mix: m.mix, Batches: m.batches, params: shortWindows}
			runs = append(runs, recorded(t, n, book(t)))
		}
		for _, sampled := range []int{3, 12} {
			for _, evidence := range []float64{0.25, 1} {
				u := unpaid(t, runs, rule{params: func(p *protocol.Params) {
					shortWindows(p)
					p.ScoreEvidence = evidence
				}, observe: sampling(sampled)})
				out.add(m.name, sampled, evidence, u.share, u.long, u.left, u.out, u.cheaters, u.spread)
			}
		}
	}
	t.Logf("honest miners without pay\n%s", out)
}

type unpaidOf struct {
	share            string // of the windows of honest miners
	long             int    // honest miners that were unpaid for ten windows or more, from the tenth on
	left, out        string // windows off the list, where an average that is not positive suffices, and by the rule
	cheaters, spread float64
}

// unpaid counts, from the tenth window on.
func unpaid(t *testing.T, runs []result, by rule) (u unpaidOf) {
	const from, evaluations = 10, 20
	p := protocol.Default()
	by.params(&p)
	var windows, without, off, refuted, miners, leavers, gone int
	var spreads, cheats []float64
	for i := range runs {
		r := &runs[i]
		books := r.books(t, by)
		var pay []float64
		paid, all := 0.0, 0.0
		for _, m := range r.Miners {
			row, longest, doubted, out := 0, 0, 0, 0
			sum := 0.0
			for _, b := range books[from:] {
				rec := of(b, m.UID)
				sum += onChain(b, m.UID, 1.5).Share
				s := peers.StandingOf(rec, &p)
				if row++; s.Paid {
					row = 0
				}
				longest = max(longest, row)
				if !s.Paid && (s.Useless || rec.Evaluations >= evaluations && s.Doubtful) {
					doubted++
				}
				if !s.Paid && (s.Useless || rec.Evaluations >= evaluations && s.Refuted) {
					out++
				}
				if m.Kind == "" {
					windows++
					without += min(row, 1)
				}
			}
			if all += sum; m.Kind != "" {
				paid += sum
				continue
			}
			pay = append(pay, sum)
			miners++
			off, refuted = off+doubted, refuted+out
			leavers, gone = leavers+min(doubted, 1), gone+min(out, 1)
			if longest >= 10 {
				u.long++
			}
		}
		spread, _ := inequality(pay)
		spreads = append(spreads, spread)
		cheats = append(cheats, paid/max(all, 1e-9))
	}
	u.share = fmt.Sprintf("%.3f", float64(without)/float64(windows))
	u.left = fmt.Sprintf("%d of %d (%d miners of %d)", off, windows, leavers, miners)
	u.out = fmt.Sprintf("%d (%d miners)", refuted, gone)
	u.cheaters, u.spread = stat.Mean(cheats, nil), stat.Mean(slices.DeleteFunc(spreads, func(x float64) bool { return x != x }), nil)
	return u
}
