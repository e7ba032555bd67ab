package validator

import (
	"context"
	"fmt"

	"templar/internal/evaluation"
	"templar/internal/telemetry"
)

// bench is what this validator measures with.
func (v *Validator) bench() *evaluation.Bench {
	return &evaluation.Bench{Params: v.Params, Method: v.Method, Engine: v.Engine, Data: v.Data, Clock: v.Clock}
}

// evaluate measures each drawn miner with a valid gradient: a copy is, too, since how it fits its miner's pages decides
// who is blamed.
func (v *Validator) evaluate(ctx context.Context, s *session) error {
	var subjects []evaluation.Subject
	var at []int // in s.seen
	for i, o := range s.seen {
		if o.Drawn && o.Verdict.OK() {
			subjects = append(subjects, evaluation.Subject{UID: o.UID, Payload: s.payload(o.UID).Gradient.Payload})
			at = append(at, i)
		}
	}
	began := v.Clock.Now()
	losses, err := v.bench().Measure(ctx, s.plan, v.model.Params(), subjects, func(i int) {
		v.Events.Phase(s.plan.Window, fmt.Sprintf("eval uid %d", subjects[i].UID))
	})
	if err != nil {
		return err
	}
	for i := range losses {
		s.seen[at[i]].Losses = losses[i]
	}
	v.Events.Emit(s.plan.Window, telemetry.Evaluated{Miners: len(losses), Duration: v.Clock.Now().Sub(began)})
	return nil
}
