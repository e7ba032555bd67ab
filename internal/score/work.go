package score

import (
	"math"
	"slices"

	"templar/protocol"
)

// leastGain is the gain on random data, relative to the typical one, below which a gradient
// counts for nothing, with the rule "work".
const leastGain = 0.25

// maxGain bounds what a window counts in Gain, in typical gains, so that no single window decides.
const maxGain = 3

// work is the rule "work": the share of its own batches that a miner's gradients fit, times their
// gain on random data relative to that of others, times the sync score.
//
// A gradient improves the batches that it was made from more than other data. How much more says
// little about the work: half the batches are fitted twice as well. How many batches are fitted
// says it. The gain shows that the gradient is of use; more than the typical one is not paid, since
// others' gradients give it without work.
func (m *measurement) work(l *Line) {
	r, keep := &l.After, 1-m.params.BinaryScoreAlpha
	hits, batches := fit(m.lines, m.typical, l)
	// Conversions keep products from being fused, so that the numbers are the same on every architecture.
	kept := float64(keep * r.Batches)
	r.BinaryAverage = min(max((float64(kept*r.BinaryAverage)+hits)/(kept+batches), -1), 1)
	r.Batches = kept + batches
	limit := maxGain * math.Abs(m.typical)
	r.Gain = float64(keep*r.Gain) + min(max(l.Random, -limit), limit)
	r.TypicalGain = float64(keep*r.TypicalGain) + m.typical
	if chance := r.Chance(r.Paid(), m.params); r.BinaryAverage > chance {
		r.Final = Final(r.RelativeGain(), r.BinaryAverage, r.SyncScore)
	} else {
		r.Final = 0
	}
}

// Fit returns the sum of the indicators of an evaluated miner's own batches, and their number, from
// the lines of its window.
func Fit(lines []Line, l *Line) (sum, batches float64) {
	return fit(lines, typicalOf(lines), l)
}

// fit has +1 for a batch that the miner's gradient improves more than its control's gradient does, beyond
// what the two differ on random data, else -1. The control removes what is peculiar to a batch: some text
// is easier than other. A miner without a control is compared with random data alone; without
// batches in the report, on all its pages together.
func fit(lines []Line, typical float64, l *Line) (sum, batches float64) {
	if len(l.Losses.Batches) == 0 {
		return Indicator(l.Own, l.Random), 1
	}
	other := control(lines, typical, l)
	for _, b := range l.Losses.Batches {
		reference, ahead := b.Before, l.Random
		if other != nil {
			reference, ahead = b.Control, l.Random-other.Random
		}
		sum += Indicator(float64(reference-b.After)/float64(b.Before), ahead)
	}
	return sum, float64(len(l.Losses.Batches))
}

// control is the line of the miner whose gradient is l's control; nil when there is none, or one
// whose gain is far from the typical one: a harmful gradient would make any other look well; or one that sent the same
// gradient, than which none is better: it would lower the score of the miner whose training it repeats.
func control(lines []Line, typical float64, l *Line) *Line {
	if l.Losses.Control == nil {
		return nil
	}
	i := slices.IndexFunc(lines, func(o Line) bool { return o.UID == *l.Losses.Control })
	if i < 0 || !lines[i].Evaluated || lines[i].made() == l.made() || math.Abs(lines[i].Random-typical) > math.Abs(typical) {
		return nil
	}
	return &lines[i]
}

// Chance is the binary average above which a miner is paid: score_evidence standard deviations of the mean
// of fair coin tosses, which a miner without work exceeds with a small probability only. One that was
// paid before keeps its pay above a quarter of that, so that chance does not interrupt the pay of one that works.
func (r *Record) Chance(paid bool, p *protocol.Params) float64 {
	if r.Batches <= 0 {
		return 1
	}
	deviations := p.ScoreEvidence
	if paid {
		deviations /= 4
	}
	return deviations * r.deviation(p)
}

// deviation is the standard deviation of the binary average of fair coin tosses.
func (r *Record) deviation(p *protocol.Params) float64 {
	keep := 1 - p.BinaryScoreAlpha
	independent := r.Batches * (1 + keep) / (1 + math.Pow(keep, float64(r.Evaluations)))
	return 1 / math.Sqrt(independent)
}

// Refuted reports whether a miner's gradients fit its own pages worse than chance explains: two standard deviations below that of a coin. By
// the rule of Templar v0.2.82, which counts no batches, it is an average that is not positive.
func (r *Record) Refuted(p *protocol.Params) bool {
	if r.Batches <= 0 {
		return r.Evaluations > 0 && r.BinaryAverage <= 0
	}
	return r.BinaryAverage < -2*r.deviation(p)
}

// RelativeGain is the gain of a miner's gradients on random data relative to the typical one, in
// [0, 1]; 0 where it is below leastGain. When the typical gain is not positive, as with a learning rate
// that is too high, it says nothing and is 1.
func (r *Record) RelativeGain() float64 {
	if !(r.TypicalGain > 0) {
		return 1
	}
	g := min(r.Gain/r.TypicalGain, 1)
	if g < leastGain {
		return 0
	}
	return g
}

// typicalOf is the lower median of the gradient scores of a window. Where strangers are half of the
// measured, they can lower it, which profits others as much, and not raise it.
func typicalOf(lines []Line) float64 {
	var sorted []float64
	for i := range lines {
		if lines[i].Evaluated {
			sorted = append(sorted, lines[i].Random)
		}
	}
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	return sorted[(len(sorted)-1)/2]
}
