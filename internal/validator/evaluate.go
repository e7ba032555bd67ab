package validator

import (
	"context"
	"fmt"

	"templar/codec"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/exchange"
	"templar/internal/score"
	"templar/protocol"
)

// evaluate measures each drawn miner: the loss before and after one step along its
// gradient alone, on the pages assigned to it ("own") and on pages common to all
// ("random"). The base loss on the common pages is computed once.
func (v *Validator) evaluate(ctx context.Context, s *session) error {
	x := v.Exchange
	first, err := x.AwaitWindow(ctx, s.window)
	if err != nil {
		return err
	}
	total := v.Data.Pages(x.Params.PageTokens)
	common := data.Common(s.seed, s.window, total, x.Params.PagesPerWindow)
	random, err := v.batches(ctx, common, s.seed)
	if err != nil {
		return err
	}
	losses := engine.NewEvaluator(v.Engine, v.model.Params(), random)
	for i := range s.seen {
		o := &s.seen[i]
		p := s.payload(o.UID)
		if !o.Drawn || p == nil || !p.Verdict.OK() {
			continue
		}
		v.Phase(s.window, fmt.Sprintf("eval uid %d", o.UID))
		own, err := v.batches(ctx, data.Assign(first.Hash, o.UID, s.window, total, x.Params.PagesPerWindow), s.seed)
		if err != nil {
			return err
		}
		if o.Eval, err = v.measure(ctx, losses, p, own); err != nil {
			return err
		}
	}
	return nil
}

// measure takes the step p - eval_lr_factor*lr*sign along one gradient, and takes it
// back bit for bit.
func (v *Validator) measure(ctx context.Context, losses *engine.Evaluator, p *exchange.Payload, own []engine.Batch) (*score.Evaluation, error) {
	x := v.Exchange
	rate := x.Params.EvalLRFactor * x.Params.LearningRateAt(v.model.Step())
	update := x.Codec.Aggregate([]*codec.Gradient{p.Gradient.Body})
	o, err := losses.Measure(ctx, float32(rate), func(i int) int { return x.Codec.Sign(update, i) }, own)
	if err != nil {
		return nil, err
	}
	return &score.Evaluation{
		OwnBefore: o.OwnBefore.Mean(), OwnAfter: o.OwnAfter.Mean(),
		RandomBefore: o.CommonBefore.Mean(), RandomAfter: o.CommonAfter.Mean(),
	}, nil
}

// batches returns the sampled share of the batches of pages.
func (v *Validator) batches(ctx context.Context, pages []uint64, seed protocol.Hash) ([]engine.Batch, error) {
	p := v.Exchange.Params
	var all, out []engine.Batch
	for _, id := range pages {
		tokens, err := v.Data.Page(ctx, id, p.PageTokens)
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
