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
	var before engine.Loss // on random, with the first miner that needs it
	for i := range s.seen {
		o := &s.seen[i]
		p := s.payload(o.UID)
		if !o.Drawn || p == nil || !p.Verdict.OK() {
			continue
		}
		v.Phase(s.window, fmt.Sprintf("eval uid %d", o.UID))
		if before.Tokens == 0 {
			if before, err = v.loss(ctx, v.model.Params(), random); err != nil {
				return err
			}
		}
		own, err := v.batches(ctx, data.Assign(first.Hash, o.UID, s.window, total, x.Params.PagesPerWindow), s.seed)
		if err != nil {
			return err
		}
		if o.Eval, err = v.measure(ctx, p, own, random, before); err != nil {
			return err
		}
	}
	return nil
}

// measure moves a copy of the parameters along one gradient: p - eval_lr_factor*lr*sign.
func (v *Validator) measure(ctx context.Context, p *exchange.Payload, own, random []engine.Batch, before engine.Loss) (*score.Evaluation, error) {
	x := v.Exchange
	ownBefore, err := v.loss(ctx, v.model.Params(), own)
	if err != nil {
		return nil, err
	}
	copy(v.scratch, v.model.Params())
	rate := x.Params.EvalLRFactor * x.Params.LearningRateAt(v.model.Step())
	x.Codec.Apply(v.scratch, x.Codec.Aggregate([]*codec.Gradient{p.Gradient.Body}), float32(rate), 0)
	ownAfter, err := v.loss(ctx, v.scratch, own)
	if err != nil {
		return nil, err
	}
	randomAfter, err := v.loss(ctx, v.scratch, random)
	if err != nil {
		return nil, err
	}
	return &score.Evaluation{
		OwnBefore: ownBefore.Mean(), OwnAfter: ownAfter.Mean(),
		RandomBefore: before.Mean(), RandomAfter: randomAfter.Mean(),
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

func (v *Validator) loss(ctx context.Context, params []float32, batches []engine.Batch) (sum engine.Loss, err error) {
	for _, b := range batches {
		l, err := v.Engine.Loss(ctx, params, b)
		if err != nil {
			return sum, err
		}
		sum.Add(l)
	}
	return sum, nil
}
