package lab

import (
	"templar/internal/dashboard/collect"
	"templar/protocol"
)

// resultVersion is the version of a Result's file, and of what a run computes: another one makes
// Study.Run compute again.
const resultVersion = 1

// Result is what a Variant learned from one seed.
type Result struct {
	Variant string `json:"variant"`
	Key     string `json:"key"` // of Variant and seed
	Build   string `json:"build"`
	Seed    uint64 `json:"seed"`
	// Points are in the order of windows. The first is that of the initial parameters, the last has the
	// loss on all held-out text.
	Points  []Point         `json:"points"`
	State   protocol.Hash   `json:"state_hash"`
	Utilise collect.Measure `json:"utilisation"` // share of time in which honest miners' engines compute; null without a machine's speed
	Pay     []Pay           `json:"pay,omitempty"`
	Wall    float64         `json:"wall_seconds"`
	Virtual float64         `json:"virtual_seconds,omitempty"`
}

// Point is the state after some windows.
type Point struct {
	Window int     `json:"window"` // counted from 1; 0: before the first
	Tokens int64   `json:"tokens"` // that all miners have trained on
	Up     int64   `json:"up"`     // bytes of gradients that one miner has sent, in the mean
	Down   int64   `json:"down"`   // bytes of updates that one node has fetched
	Loss   float64 `json:"loss"`   // nats a token, on held-out text
}

// Bytes is what one miner has sent and fetched.
func (p Point) Bytes() int64 { return p.Up + p.Down }

// Pay is a miner's at the end.
type Pay struct {
	Node   string  `json:"node"`
	Honest bool    `json:"honest"`
	Share  float64 `json:"share"` // of all weights that the lead validator gives
}

// Last is the state at the end.
func (r *Result) Last() Point { return r.Points[len(r.Points)-1] }

// HonestPay is the honest miners' share of all weights; unknown when none has any.
func (r *Result) HonestPay() collect.Measure {
	sum, all := 0.0, 0.0
	for _, p := range r.Pay {
		all += p.Share
		if p.Honest {
			sum += p.Share
		}
	}
	if all == 0 {
		return collect.Unknown()
	}
	return collect.Measure(sum / all)
}

// At is the loss when axis reaches x, between two points in proportion; unknown outside of the run.
func (r *Result) At(axis func(Point) float64, x float64) collect.Measure {
	for i := 1; i < len(r.Points); i++ {
		a, b := r.Points[i-1], r.Points[i]
		from, to := axis(a), axis(b)
		if x < from || x > to || from == to {
			continue
		}
		t := (x - from) / (to - from)
		return collect.Measure(a.Loss + t*(b.Loss-a.Loss))
	}
	return collect.Unknown()
}

// The axes on which curves are compared.
func tokens(p Point) float64  { return float64(p.Tokens) }
func windows(p Point) float64 { return float64(p.Window) }
func traffic(p Point) float64 { return float64(p.Bytes()) }
