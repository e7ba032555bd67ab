package dctsign

import (
	"errors"
	"fmt"
	"math"

	"templar/codec"
)

// Params are the parameters of the method, in method.params of the run parameters.
type Params struct {
	// LearningRate is the largest rate of the schedule, the size of a step in units of a
	// parameter: above 0. Usually 1e-4 to 1e-2.
	LearningRate float64 `json:"learning_rate"`
	// WeightDecay is the share of a parameter that a step takes away, divided by the learning
	// rate: 0 or more, and at most 1 times the learning rate.
	WeightDecay float64 `json:"weight_decay"`
	// WarmupSteps is the length of the linear warm-up from a tenth of LearningRate, in global
	// steps: 0 or more.
	WarmupSteps int `json:"warmup_steps"`
	// TMax is the length of the first cosine period, in global steps: 1 or more. Each period is
	// twice as long as the one before.
	TMax int `json:"t_max"`
	// MomentumDecay is what is left of the momentum in the next window: [0, 1].
	MomentumDecay float64 `json:"momentum_decay"`
	// MomentumWarmup is the number of a miner's first iterations after which what was sent is not
	// subtracted from the momentum: 0 or more.
	MomentumWarmup int `json:"momentum_warmup"`
	// TargetChunk bounds the side of a chunk, in values: 1 to 256.
	TargetChunk int `json:"target_chunk"`
	// TopK is how many coefficients of a chunk are sent at most: 1 or more.
	TopK int `json:"topk_compression"`
	// EvalLRFactor is the size of a validator's trial step in learning rates: above 0.
	EvalLRFactor float64 `json:"eval_lr_factor"`
}

// Validate reports every fault at once.
func (p *Params) Validate() error {
	var errs []error
	fault := func(bad bool, name string, value any, want string) {
		if bad {
			errs = append(errs, fmt.Errorf("%s is %v: want %s", name, value, want))
		}
	}
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
	fault(!positive(p.LearningRate), "learning_rate", p.LearningRate, "more than 0")
	fault(!(p.WeightDecay >= 0 && p.WeightDecay*p.LearningRate <= 1), "weight_decay", p.WeightDecay, "0 or more, times learning_rate at most 1")
	fault(p.WarmupSteps < 0, "warmup_steps", p.WarmupSteps, "0 or more")
	fault(p.TMax < 1, "t_max", p.TMax, "1 or more")
	fault(!(p.MomentumDecay >= 0 && p.MomentumDecay <= 1), "momentum_decay", p.MomentumDecay, "0 to 1")
	fault(p.MomentumWarmup < 0, "momentum_warmup", p.MomentumWarmup, "0 or more")
	fault(p.TargetChunk < 1 || p.TargetChunk > codec.MaxSide, "target_chunk", p.TargetChunk, fmt.Sprintf("1 to %d", codec.MaxSide))
	fault(p.TopK < 1, "topk_compression", p.TopK, "1 or more")
	fault(!positive(p.EvalLRFactor), "eval_lr_factor", p.EvalLRFactor, "more than 0")
	return errors.Join(errs...)
}

// RateAt is the learning rate at a global step: linear warm-up from a tenth of the rate, then
// cosine annealing with warm restarts (Loshchilov and Hutter 2017, eq. 5; T_0 = t_max, T_mult = 2,
// eta_min = a tenth of the rate).
func (p *Params) RateAt(step uint64) float64 {
	const floor = 0.1
	if step < uint64(p.WarmupSteps) {
		return p.LearningRate * (floor + (1-floor)*float64(step)/float64(p.WarmupSteps))
	}
	at, period := step-uint64(p.WarmupSteps), uint64(p.TMax)
	for at >= period {
		at -= period
		period *= 2
	}
	low := floor * p.LearningRate
	return low + (p.LearningRate-low)*(1+math.Cos(math.Pi*float64(at)/float64(period)))/2
}
