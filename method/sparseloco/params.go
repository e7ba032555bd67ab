package sparseloco

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"templar/codec"
	"templar/internal/engine"
	"templar/protocol"
)

// Params are the parameters of the method, in method.params of the run parameters.
type Params struct {
	// InnerRate is the largest learning rate of the local steps: above 0. Usually 1e-4 to 1e-2.
	InnerRate float64 `json:"inner_learning_rate"`
	// WarmupSteps is the length of the linear warm-up from 0, in local steps: 0 or more.
	WarmupSteps int `json:"inner_warmup_steps"`
	// DecaySteps is the length of the cosine decay that follows, in local steps: 1 or more. The rate stays at
	// FinalShare times InnerRate after it.
	DecaySteps int `json:"inner_decay_steps"`
	// FinalShare is the share of InnerRate that the decay ends at: [0, 1].
	FinalShare float64 `json:"inner_final_share"`
	// Beta1, Beta2 and Eps are AdamW's: [0, 1), [0, 1), 0 or more.
	Beta1 float64 `json:"adam_beta1"`
	Beta2 float64 `json:"adam_beta2"`
	Eps   float64 `json:"adam_eps"`
	// WeightDecay is the share of a parameter that a local step takes away, divided by its rate: 0 or more,
	// and at most 1 times InnerRate.
	WeightDecay float64 `json:"weight_decay"`
	// ClipNorm is the L2 norm to which the gradient of a local step is scaled down: above 0, or 0 for no
	// limit.
	ClipNorm float64 `json:"clip_norm"`
	// ErrorDecay is what is left of the error buffer in the next window: [0, 1].
	ErrorDecay float64 `json:"error_decay"`
	// OuterRate is alpha, by which the mean is multiplied: above 0. Usually 0.7 to 1.2.
	OuterRate float64 `json:"outer_rate"`
	// TargetChunk bounds the side of a chunk, in values: 1 to 64.
	TargetChunk int `json:"target_chunk"`
	// TopK is how many values of a chunk of TargetChunk^2 are sent at most: 1 to as many. Smaller chunks send as many in
	// proportion, at least one.
	TopK int `json:"topk"`
	// ValueBits is the width of a payload's value: 1, 2, 4 or 8.
	ValueBits int `json:"value_bits"`
	// UpdateBits is the width of an update's value: 4 or 8.
	UpdateBits int `json:"update_bits"`
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
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	fault(!positive(p.InnerRate), "inner_learning_rate", p.InnerRate, "more than 0")
	fault(p.WarmupSteps < 0, "inner_warmup_steps", p.WarmupSteps, "0 or more")
	fault(p.DecaySteps < 1, "inner_decay_steps", p.DecaySteps, "1 or more")
	fault(!share(p.FinalShare), "inner_final_share", p.FinalShare, "0 to 1")
	fault(!share(p.ErrorDecay), "error_decay", p.ErrorDecay, "0 to 1")
	fault(!positive(p.OuterRate) || p.OuterRate > 100, "outer_rate", p.OuterRate, "more than 0, at most 100")
	fault(!slices.Contains([]int{1, 2, 4, 8}, p.ValueBits), "value_bits", p.ValueBits, "1, 2, 4 or 8")
	fault(!slices.Contains([]int{4, 8}, p.UpdateBits), "update_bits", p.UpdateBits, "4 or 8")
	if err := p.adamW(0).Validate(); err != nil && positive(p.InnerRate) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// adamW is the local step number n of the run.
func (p *Params) adamW(n uint64) engine.AdamW {
	return engine.AdamW{
		LearningRate: p.InnerRateAt(n), Beta1: p.Beta1, Beta2: p.Beta2, Eps: p.Eps,
		WeightDecay: p.WeightDecay, MaxNorm: p.ClipNorm,
	}
}

// InnerRateAt is the learning rate of local step n of the run, counted from 0: linear warm-up, then half a cosine
// down to the final share.
func (p *Params) InnerRateAt(n uint64) float64 {
	if n < uint64(p.WarmupSteps) {
		return p.InnerRate * float64(n+1) / float64(p.WarmupSteps)
	}
	at := min(float64(n-uint64(p.WarmupSteps))/float64(p.DecaySteps), 1)
	return p.InnerRate * (p.FinalShare + (1-p.FinalShare)*(1+math.Cos(math.Pi*at))/2)
}

// spec is how payloads and updates are coded.
func (p *Params) spec(run *protocol.Params) codec.SparseSpec {
	return codec.SparseSpec{
		TargetChunk: p.TargetChunk, TopK: p.TopK, Levels: codec.Levels(p.ValueBits), Update: codec.Levels(p.UpdateBits),
		MaxPeers: run.MaxTopKPeers,
	}
}

// stepsPerWindow is how many local steps the pages of a window give.
func stepsPerWindow(p *protocol.Params) uint64 {
	batch := p.SequenceLength * p.BatchSize
	return uint64(p.PagesPerWindow) * uint64((p.PageTokens+batch-1)/batch)
}
