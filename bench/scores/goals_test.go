package scores

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"

	"templar/protocol"
)

// goalSeeds is the number of runs behind each figure of the fast tests.
const goalSeeds = 10

// interval is the 95 % confidence interval of a mean (Student's t).
func interval(values []float64) (mean, half float64) {
	t := map[int]float64{1: math.NaN(), 2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}[len(values)]
	mean, deviation := stat.MeanStdDev(values, nil)
	return mean, t * deviation / math.Sqrt(float64(len(values)))
}

// over runs a network with each seed, and returns the mean pay of two groups of its miners, the honest first,
// each relative to equal parts, over the whole run and at its end.
type outcomeOf struct{ honest, cheaters, honestEnd, cheatersEnd []float64 }

func over(t *testing.T, windows, uids int, change func(*protocol.Params), honest, cheaters []worker) (o outcomeOf) {
	t.Helper()
	for seed := range uint64(goalSeeds) {
		s := newSynthetic(seed, uids, change, honest, cheaters).run(t, windows)
		whole, end := s.pay()
		n := len(honest)
		o.honest, o.honestEnd = append(o.honest, stat.Mean(whole[:n], nil)), append(o.honestEnd, stat.Mean(end[:n], nil))
		if len(cheaters) > 0 {
			o.cheaters, o.cheatersEnd = append(o.cheaters, stat.Mean(whole[n:], nil)), append(o.cheatersEnd, stat.Mean(end[n:], nil))
		}
	}
	return o
}

// relative is the cheaters' pay relative to the honest miners', in each run.
func (o *outcomeOf) relative() (whole, end []float64) {
	for i := range o.honest {
		whole, end = append(whole, o.cheaters[i]/o.honest[i]), append(end, o.cheatersEnd[i]/o.honestEnd[i])
	}
	return whole, end
}

func described(p *protocol.Params) { p.DescribedScores() }

// TestEqualWorkEqualPay: eight honest miners, all evaluated in each of 40 windows.
func TestEqualWorkEqualPay(t *testing.T) {
	for _, c := range []struct {
		name        string
		change      func(*protocol.Params)
		least, most float64
	}{{"described", described, 0.5, 3}, {"new runs", nil, 0, 0.35}} {
		var spreads []float64
		unpaid := 0
		for seed := range uint64(goalSeeds) {
			_, end := newSynthetic(seed, 0, c.change, crew(8, honestWorker)).run(t, 40).pay()
			spread, without := inequality(end)
			spreads, unpaid = append(spreads, spread), unpaid+without
		}
		mean, half := interval(spreads)
		t.Logf("%s: spread %.3f ± %.3f, %d of %d without pay", c.name, mean, half, unpaid, 8*goalSeeds)
		if mean+half > c.most || mean < c.least || (c.change == nil && unpaid > 0) {
			t.Errorf("%s: spread %.3f ± %.3f, want %.2f to %.2f; %d miners without pay", c.name, mean, half, c.least, c.most, unpaid)
		}
	}
}

// TestEqualWorkEqualPayOfMany: 80 honest miners, when each has been evaluated 15 times.
func TestEqualWorkEqualPayOfMany(t *testing.T) {
	var spreads []float64
	unpaid, windows := 0, 0
	for seed := range uint64(goalSeeds) {
		s := newSynthetic(seed, 4, nil, crew(80, honestWorker))
		for s.least() < 15 {
			s.window(t)
		}
		_, end := s.pay()
		spread, without := inequality(end)
		spreads, unpaid, windows = append(spreads, spread), unpaid+without, windows+int(s.book.Next)
	}
	mean, half := interval(spreads)
	t.Logf("spread %.3f ± %.3f, %d of %d without pay, after %d windows", mean, half, unpaid, 80*goalSeeds, windows/goalSeeds)
	if mean+half > 0.35 || unpaid > 0 {
		t.Errorf("spread %.3f ± %.3f, %d miners without pay", mean, half, unpaid)
	}
}

// TestCheatersPay holds the promises on pay, on the synthetic network: honest miners keep at least 80 % of a fair share, a miner
// that does not train earns nothing, half the work earns at most half the pay, and n colluders
// together earn no more than their work.
func TestCheatersPay(t *testing.T) {
	for _, c := range []struct {
		name     string
		cheaters []worker
		most     float64 // of an honest miner's pay, for each
	}{
		{"noise", crew(4, worker{}), 0},
		{"copies, past the comparison", crew(4, worker{gain: 1}), 0.01},
		{"half the work", crew(2, partial(0.5)), 0.5},
		{"a quarter of the work", crew(2, partial(0.25)), 0.25},
		{"every second window, noise in between", crew(2, worker{work: 1, gain: 1, own: 1, lazy: 0.5}), 0.5},
		{"nine of ten windows", crew(2, worker{work: 1, gain: 1, own: 1, lazy: 0.1}), 0.95},
		{"three that work and send their mean", crew(3, worker{work: 1, gain: 1.1, own: 1.0 / 3}), 1},
		{"three, of whom one works", append(crew(2, worker{gain: 0.95}), worker{work: 1, gain: 0.95, own: 1}), 1.0 / 3},
		{"a registration every 10 windows, without work", crew(4, worker{gain: 1, fresh: 10}), 0.01},
		{"four uids with a quarter of the work each", crew(4, partial(0.25)), 0.25},
		{"memory without use: the common part taken out", crew(2, worker{work: 1, gain: 0.2, own: 2}), 0.25},
	} {
		for _, uids := range []int{0, 4} {
			windows := 40
			if uids > 0 {
				windows = 100
			}
			o := over(t, windows, uids, nil, crew(8, honestWorker), c.cheaters)
			whole, end := o.relative()
			mean, half := interval(whole)
			endMean, endHalf := interval(end)
			fair, fairHalf := interval(o.honest)
			t.Logf("%s, %s: %.3f ± %.3f of an honest miner's pay over the run, %.3f ± %.3f at its end; honest %.2f ± %.2f of equal parts", c.name, places(uids), mean, half, endMean, endHalf, fair, fairHalf)
			if mean-half > c.most || endMean-endHalf > c.most {
				t.Errorf("%s, %s: %.3f ± %.3f over the run, %.3f ± %.3f at the end; want at most %.2f", c.name, places(uids), mean, half, endMean, endHalf, c.most)
			}
			if fair+fairHalf < 0.8 {
				t.Errorf("%s, %s: honest miners have %.2f of a fair share", c.name, places(uids), fair)
			}
		}
	}
}

func places(uids int) string {
	if uids == 0 {
		return "all evaluated"
	}
	return fmt.Sprintf("%d evaluated a window", uids)
}
