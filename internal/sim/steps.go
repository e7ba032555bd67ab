package sim

import (
	"context"
	"time"

	"templar/internal/engine"
	"templar/method"
)

// Steps are how long the steps of a training method take a node's processor. Zero values take no virtual time. The state
// hash is not among them: nodes compute it while they train.
type Steps struct {
	Compress time.Duration // of a window's training
	Reduce   time.Duration // of one payload
	Apply    time.Duration // of an update
}

// slow returns a method whose steps take virtual time.
func (s Steps) slow(p *process, m *method.Method) *method.Method {
	if s == (Steps{}) {
		return m
	}
	out := *m
	out.Reducer, out.Applier = slowReducer{m.Reducer, s, p}, slowApplier{m.Applier, s, p}
	out.NewTrainer = func(e engine.Engine) method.Trainer { return slowTrainer{m.NewTrainer(e), s, p} }
	return &out
}

// compute waits until the processor has done a step. The end of the process ends the wait.
func (p *process) compute(d time.Duration) {
	if d > 0 {
		_ = p.wait(p.ctx, func(t *task) { p.s.after(d, p.s.waker(t)) })
	}
}

type slowReducer struct {
	method.Reducer
	steps   Steps
	process *process
}

func (r slowReducer) Reduce(payloads []method.Payload) method.Update {
	r.process.compute(time.Duration(len(payloads)) * r.steps.Reduce)
	return r.Reducer.Reduce(payloads)
}

type slowApplier struct {
	method.Applier
	steps   Steps
	process *process
}

func (a slowApplier) Apply(params []float32, u method.Update, rate float32) {
	a.process.compute(a.steps.Apply)
	a.Applier.Apply(params, u, rate)
}

type slowTrainer struct {
	method.Trainer
	steps   Steps
	process *process
}

func (t slowTrainer) Payload(ctx context.Context) ([]byte, error) {
	t.process.compute(t.steps.Compress)
	return t.Trainer.Payload(ctx)
}
