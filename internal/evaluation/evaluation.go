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
	"context"
	"fmt"

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
	First  protocol.Hash // of the window's first block: assigns pages to miners
	Seed   protocol.Hash // of the first block after the upload deadline: draws the common pages, and the batches
}

// Subject is a miner to be measured.
type Subject struct {
	UID     protocol.UID
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
// order. The parameters are as they were when it returns. It calls begin, if given, before each
// subject.
func (b *Bench) Measure(ctx context.Context, p Plan, params []float32, subjects []Subject, begin func(i int)) ([]score.Losses, error) {
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
	losses := engine.NewEvaluator(b.Engine, common)
	out := make([]score.Losses, len(subjects))
	for i, s := range subjects {
		if begin != nil {
			begin(i)
		}
		own, err := b.batches(ctx, b.OwnPages(p, s.UID), p.Seed)
		if err != nil {
			return nil, fmt.Errorf("uid %d: %w", s.UID, err)
		}
		measure := func() { out[i], err = b.measure(ctx, losses, p, s.Payload, own) }
		prefetch := func() {
			if i+1 < len(subjects) {
				// What cannot be read now is asked for again, and reported, when it is needed.
				_ = b.Data.Prefetch(ctx, b.OwnPages(p, subjects[i+1].UID), b.Params.PageTokens)
			}
		}
		clock.Both(b.Clock, measure, prefetch)
		if err != nil {
			return nil, fmt.Errorf("uid %d: %w", s.UID, err)
		}
	}
	return out, nil
}

// measure takes the method's trial step along one payload, and takes it back.
func (b *Bench) measure(ctx context.Context, losses *engine.Evaluator, p Plan, payload method.Payload, own []engine.Batch) (score.Losses, error) {
	o, err := losses.Measure(ctx, b.Method.Trial(payload, p.Step), own)
	return score.Losses{
		OwnBefore: score.Number(o.OwnBefore.Mean()), OwnAfter: score.Number(o.OwnAfter.Mean()),
		RandomBefore: score.Number(o.CommonBefore.Mean()), RandomAfter: score.Number(o.CommonAfter.Mean()),
	}, err
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
