// Package evaluation measures what miners' gradients do to the loss. Validators do it to
// score, and an audit repeats it: the same parameters, gradients and block hashes give the same
// losses.
//
// For each miner there are four losses: before and after one small step along its
// gradient alone, on the pages assigned to it ("own") and on pages common to all of the
// window ("random"). The common loss before is computed once; the step is taken in the
// engine and undone bit for bit, so that no second copy of the model is needed; and the pages
// of the next miner are fetched while this one is measured.
package evaluation

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/score"
	"templar/method"
	"templar/protocol"
)

// Engine is what a Bench needs of one.
type Engine interface {
	engine.Model
	engine.Trials
}

// Bench is what it takes to measure.
type Bench struct {
	Params *protocol.Params
	Method method.Applier
	Engine Engine
	Data   *data.Dataset
	Clock  clock.Clock
}

// Plan says which data a window's measurements are made on, and how far a step goes.
type Plan struct {
	Window protocol.Window
	Step   uint64        // global step of the window
	First  protocol.Hash // schedule.PageSeed: assigns pages to miners
	Seed   protocol.Hash // schedule.EvaluationSeed: draws the common pages, and the batches
}

// Subject is a miner to be measured.
type Subject struct {
	UID protocol.UID
	// Payload is nil when it is not available: then the subject keeps its place among those that
	// control each other, and is not measured.
	Payload method.Payload
}

// CommonPages are the pages on which all miners are measured.
func (b *Bench) CommonPages(p Plan) []uint64 {
	return data.Common(p.Seed, p.Window, b.pages(), b.Params.PagesPerWindow)
}

// OwnPages are the pages that a miner was to train on.
func (b *Bench) OwnPages(p Plan, uid protocol.UID) []uint64 {
	return data.Assign(p.First, uid, p.Window, b.pages(), b.Params.PagesPerWindow)
}

func (b *Bench) pages() uint64 { return b.Data.Pages(b.Params.PageTokens) }

// Measure loads params, which stand before the window, and returns each subject's losses, in
// order; nil for those without a payload. The parameters are as they were when it returns. It
// calls begin, if given, before each subject.
//
// In an order drawn from the seed, each gradient is also measured on the pages of the next subject, as
// its control.
func (b *Bench) Measure(ctx context.Context, p Plan, params []float32, subjects []Subject, begin func(i int)) ([]*score.Losses, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	common, err := b.batches(ctx, b.CommonPages(p), p.Seed)
	if err != nil {
		return nil, err
	}
	if err := b.Engine.Load(ctx, params); err != nil {
		return nil, err
	}
	s := &sitting{Bench: b, plan: p, subjects: subjects, losses: engine.NewEvaluator(b.Engine, common), out: make([]*score.Losses, len(subjects))}
	order := ring(p, subjects)
	for k, i := range order {
		if subjects[i].Payload == nil {
			continue
		}
		if begin != nil {
			begin(i)
		}
		measure := func() { err = s.measure(ctx, i, order[(k+1)%len(order)]) }
		prefetch := func() {
			if k+2 < len(order) {
				// What cannot be read now is asked for again, and reported, when it is needed.
				_ = b.Data.Prefetch(ctx, b.OwnPages(p, subjects[order[k+2]].UID), b.Params.PageTokens)
			}
		}
		if clock.Both(b.Clock, measure, prefetch); err != nil {
			return nil, fmt.Errorf("uid %d: %w", subjects[i].UID, err)
		}
	}
	return s.out, nil
}

// ring is the order in which subjects control each other, as indices. It depends on the uids and
// not on the order of the subjects, and a miner cannot foresee it.
func ring(p Plan, subjects []Subject) []int {
	byUID := make([]int, len(subjects))
	for i := range byUID {
		byUID[i] = i
	}
	slices.SortFunc(byUID, func(a, b int) int { return cmp.Compare(subjects[a].UID, subjects[b].UID) })
	out := make([]int, 0, len(subjects))
	for _, i := range protocol.NewDraw("controls", p.Seed, uint64(p.Window)).Distinct(uint64(len(subjects)), len(subjects)) {
		out = append(out, byUID[i])
	}
	return out
}

// sitting is one Measure.
type sitting struct {
	*Bench
	plan     Plan
	subjects []Subject
	losses   *engine.Evaluator
	out      []*score.Losses
	pages    []pages // that were read last: of a subject and of the next
}

type pages struct {
	of      int
	batches []engine.Batch
}

// measure takes the method's trial step along the payload of subject i, and takes it back. The
// gradient is the control of the subject next.
func (s *sitting) measure(ctx context.Context, i, next int) error {
	own, err := s.own(ctx, i)
	if err != nil {
		return err
	}
	var other []engine.Batch
	if next != i {
		if other, err = s.own(ctx, next); err != nil {
			return err
		}
	}
	s.pages = []pages{{next, other}}
	o, err := s.losses.Measure(ctx, s.Method.Trial(s.subjects[i].Payload, s.plan.Step), own, other)
	if err != nil {
		return err
	}
	l := s.of(i, len(own))
	l.OwnBefore, l.OwnAfter = mean(o.OwnBefore...), mean(o.OwnAfter...)
	l.RandomBefore, l.RandomAfter = mean(o.CommonBefore), mean(o.CommonAfter)
	for k := range own {
		l.Batches[k].Before, l.Batches[k].After = mean(o.OwnBefore[k]), mean(o.OwnAfter[k])
	}
	if next != i && s.subjects[next].Payload != nil {
		l, uid := s.of(next, len(other)), s.subjects[i].UID
		l.Control = &uid
		for k := range other {
			l.Batches[k].Control = mean(o.OtherAfter[k])
		}
	}
	return nil
}

// of returns the losses of subject i, with room for n batches.
func (s *sitting) of(i, n int) *score.Losses {
	if s.out[i] == nil {
		s.out[i] = &score.Losses{Batches: make([]score.BatchLosses, n)}
	}
	return s.out[i]
}

// own returns the sampled batches of a subject's pages.
func (s *sitting) own(ctx context.Context, i int) ([]engine.Batch, error) {
	for _, p := range s.pages {
		if p.of == i {
			return p.batches, nil
		}
	}
	return s.batches(ctx, s.OwnPages(s.plan, s.subjects[i].UID), s.plan.Seed)
}

func mean(losses ...engine.Loss) score.Number {
	var sum engine.Loss
	for _, l := range losses {
		sum.Add(l)
	}
	return score.Number(sum.Mean())
}

// batches returns the sampled share of the batches of pages.
func (b *Bench) batches(ctx context.Context, pages []uint64, seed protocol.Hash) ([]engine.Batch, error) {
	p := b.Params
	var all, out []engine.Batch
	for _, id := range pages {
		tokens, err := b.Data.Page(ctx, id, p.PageTokens)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
		all = append(all, data.Batches(tokens, p.SequenceLength, p.BatchSize)...)
	}
	for _, i := range data.SampleBatches(seed, len(all), p.ValidatorSampleRate) {
		out = append(out, all[i])
	}
	return out, nil
}
