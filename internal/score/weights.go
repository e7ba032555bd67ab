package score

import (
	"math"

	"templar/protocol"
)

// Weight is one miner's part of a validator's weights.
type Weight struct {
	UID protocol.UID
	// Share sums to 1 over all weights.
	Share float64
	// Value is the share as the chain takes it: scaled so that the largest is 65535.
	Value uint16
}

// Paid reports whether the miner has weight.
func (r *Record) Paid() bool { return r.Evaluations > 0 && r.Final > 0 }

// Weights returns final^power / sum over the evaluated miners with a positive final,
// ascending by uid; it is empty when there is none.
func (b *Book) Weights(power float64) []Weight {
	var out []Weight
	best := 0.0
	for _, r := range b.Records {
		if r.Paid() {
			out = append(out, Weight{UID: r.UID, Share: r.Final})
			best = max(best, r.Final)
		}
	}
	sum := 0.0
	for i := range out {
		w := &out[i]
		w.Share = math.Pow(w.Share/best, power) // in (0, 1], so no power overflows
		w.Value = uint16(math.Round(w.Share * math.MaxUint16))
		sum += w.Share
	}
	for i := range out {
		out[i].Share /= sum
	}
	return out
}

// share notes in each line which share of the weights its miner has.
func (b *Book) share(lines []Line, power float64) {
	shares := make(map[protocol.UID]float64)
	for _, w := range b.Weights(power) {
		shares[w.UID] = w.Share
	}
	for i := range lines {
		lines[i].Weight = shares[lines[i].UID]
	}
}
