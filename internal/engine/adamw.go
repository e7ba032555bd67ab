package engine

import (
	"fmt"
	"math"
)

// AdamW is one step of Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm
// 2), as PyTorch's optim.AdamW takes it after clip_grad_norm_. With g the accumulated gradient
// times min(1, MaxNorm/(norm+1e-6)), and t the number of steps, this one counted:
//
//	p <- p*(1 - LearningRate*WeightDecay)
//	m <- Beta1*m + (1-Beta1)*g
//	v <- Beta2*v + (1-Beta2)*g*g
//	p <- p - LearningRate/(1-Beta1^t) * m / (sqrt(v)/sqrt(1-Beta2^t) + Eps)
//
// All parameters decay, those of norms too.
type AdamW struct {
	LearningRate float64 // per step, 0 or more
	Beta1, Beta2 float64 // in [0, 1); usually 0.9, and 0.95 to 0.999
	Eps          float64 // more than 0, also as float32; usually 1e-8
	WeightDecay  float64 // 0 or more; times LearningRate at most 1
	MaxNorm      float64 // L2 norm over which the gradient is scaled down; 0: no clipping
}

// Validate says what is wrong with the settings.
func (o AdamW) Validate() error {
	share := func(v float64) bool { return v >= 0 && v < 1 }
	positive := func(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
	switch {
	case !positive(o.LearningRate):
		return fmt.Errorf("adamw: learning rate %g: want 0 or more", o.LearningRate)
	case !share(o.Beta1) || !share(o.Beta2):
		return fmt.Errorf("adamw: betas %g and %g: want 0 or more, below 1", o.Beta1, o.Beta2)
	case !positive(o.Eps) || float32(o.Eps) == 0: // or the move of a parameter without gradients is 0/0
		return fmt.Errorf("adamw: eps %g: want more than 0", o.Eps)
	case !positive(o.WeightDecay) || o.LearningRate*o.WeightDecay > 1:
		return fmt.Errorf("adamw: weight decay %g: want 0 or more, times the learning rate at most 1", o.WeightDecay)
	case !positive(o.MaxNorm):
		return fmt.Errorf("adamw: maximum norm %g: want 0 (no clipping) or more", o.MaxNorm)
	}
	return nil
}

// Clip is the factor of a gradient of so large a norm.
func (o AdamW) Clip(norm float64) float32 {
	if o.MaxNorm == 0 {
		return 1
	}
	return float32(min(1, o.MaxNorm/(norm+1e-6)))
}

// The tensors of Moments, in their order.
const (
	FirstMoment  = "adamw.first_moment"
	SecondMoment = "adamw.second_moment"
)

// Tensor is a named vector in the order of Layout.
type Tensor struct {
	Name   string
	Values []float32
}

// Moments is the state of AdamW: a checkpoint keeps it, and any engine of the same layout can
// restore it.
type Moments struct {
	Steps   uint64   // taken
	Tensors []Tensor // FirstMoment and SecondMoment; none before the first step
}

// Check says what is wrong with the moments of so many parameters, which may come from a file.
func (m Moments) Check(parameters int) error {
	if m.Steps == 0 && len(m.Tensors) == 0 {
		return nil
	}
	if m.Steps == 0 || len(m.Tensors) != 2 || m.Tensors[0].Name != FirstMoment || m.Tensors[1].Name != SecondMoment {
		return fmt.Errorf("moments: %d steps and %d tensors: want 1 or more, and %s and %s", m.Steps, len(m.Tensors), FirstMoment, SecondMoment)
	}
	for i, t := range m.Tensors {
		if len(t.Values) != parameters {
			return fmt.Errorf("moments: %s has %d values for %d parameters", t.Name, len(t.Values), parameters)
		}
		for at, v := range t.Values {
			if v-v != 0 || (i == 1 && v < 0) { // v-v is NaN for NaN and infinities
				return fmt.Errorf("moments: value %d of %s is %g", at, t.Name, v)
			}
		}
	}
	return nil
}
