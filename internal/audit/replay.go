package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/chain"
	"templar/internal/checkpoint"
	"templar/internal/model"
	"templar/internal/replica"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// replay computes the parameters before the window, from the nearest checkpoint on.
func (a *auditor) replay(ctx context.Context) error {
	const name = "state"
	from, err := a.nearest(ctx)
	if err != nil {
		return err
	}
	begun := a.model.Next()
	for a.model.Next() < a.Options.Window {
		a.Progress("replaying window %d, up to %d", a.model.Next(), a.Options.Window)
		if err := a.commit(ctx); errors.Is(err, errUnknown) {
			a.add(name, Unknown, "from %s: %v", from, err)
			a.model = nil
			return nil
		} else if err != nil {
			return err
		}
	}
	a.before = a.model.StateHash()
	a.from, a.how = from, fmt.Sprintf("replayed from %s", from)
	if n := a.Options.Window + 1 - begun; n > 1 {
		a.how += fmt.Sprintf(" over %d windows", n)
	}
	return nil
}

// theta0 names the parameters that the run starts from.
const theta0 = "theta_0"

// nearest loads the newest checkpoint that stands before the window, or theta_0, which
// follows from the run parameters.
func (a *auditor) nearest(ctx context.Context) (from string, err error) {
	type place struct {
		Party
		next protocol.Window
	}
	var places []place
	for _, v := range a.Validators {
		windows, err := checkpoint.Windows(ctx, v.Bucket)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil {
			continue // another's will do
		}
		for _, next := range windows {
			if next <= a.Options.Window && next > a.start.StartWindow {
				places = append(places, place{v, next})
			}
		}
	}
	slices.SortStableFunc(places, func(x, y place) int { return int(int64(y.next) - int64(x.next)) })
	for _, p := range places {
		a.Progress("loading checkpoint-%d of validator uid %d", p.next, p.UID)
		s, err := checkpoint.Load(ctx, p.Bucket, a.Run, p.next, p.Hotkey)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil {
			a.add("checkpoint", Unknown, "of validator uid %d cannot be used: %v", p.UID, err)
			continue
		}
		a.model = replica.New(a.Run, s.Start, s.Next, s.Previous, s.Params)
		return fmt.Sprintf("checkpoint-%d of validator uid %d", p.next, p.UID), nil
	}
	params := model.Init(a.Params.Model, a.Params.Seed)
	if got := a.Codec.StateHash(params); got != a.start.StateHash {
		a.judge(theta0, []string{fmt.Sprintf("its hash is %s; announced was %s", got.Short(), a.start.StateHash.Short())}, "drawn from the run's seed")
	}
	a.model = replica.New(a.Run, a.start.StartWindow, a.start.StartWindow, protocol.Hash{}, params)
	return theta0, nil
}

// commit applies the next Aggregate.
func (a *auditor) commit(ctx context.Context) error {
	w := a.model.Next()
	agg, hash, _, verdict := a.FetchAggregate(ctx, w, a.Clock.Now().Add(a.Params.Gather()))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !verdict.OK() {
		return fmt.Errorf("the aggregate of window %d is %v: %w", w, verdict, errUnknown)
	}
	if err := a.model.Commit(agg, hash); err != nil {
		return fmt.Errorf("%w: the chain is broken there: %w", err, errUnknown)
	}
	return nil
}

// told applies the window, and holds the states before and after it against what nodes
// have told of theirs. Whoever told otherwise is named.
func (a *auditor) told(ctx context.Context) error {
	if a.model == nil {
		return nil
	}
	if err := a.model.Commit(a.aggregate, a.hash); err != nil {
		a.judge("state", []string{err.Error()}, "%s", a.how)
		return nil
	}
	a.State = a.model.StateHash()
	var faults []string
	agree := 0
	for next, state := range map[protocol.Window]protocol.Hash{a.Options.Window: a.before, a.Options.Window + 1: a.State} {
		n, bad := a.reported(ctx, next, state)
		agree, faults = agree+n, append(faults, bad...)
	}
	n, bad, err := a.sampled(ctx, a.model.Params())
	if err != nil {
		return err
	}
	agree, faults = agree+n, append(faults, bad...)
	slices.Sort(faults)
	if len(faults) > 0 && a.from != theta0 {
		faults = append(faults, fmt.Sprintf("or else it is %s that is false: what was said here rests on it", a.from))
	}
	a.judge("state", faults, "%s: %s after window %d; %d statements of nodes agree", a.how, a.State.Short(), a.Options.Window, agree)
	return nil
}

// reported holds the state before a window against what validators reported of it.
func (a *auditor) reported(ctx context.Context, next protocol.Window, state protocol.Hash) (agree int, faults []string) {
	for _, v := range a.Validators {
		r, err := a.Report(ctx, v, next)
		switch {
		case err != nil: // judged with the scores, if at all
		case r.State == state:
			agree++
		default:
			faults = append(faults, fmt.Sprintf("validator uid %d reports the state %s before window %d; it is %s", v.UID, r.State.Short(), next, state.Short()))
		}
	}
	return agree, faults
}

// sampled holds the parameters after the window against everybody's sync samples.
func (a *auditor) sampled(ctx context.Context, params []float32) (agree int, faults []string, err error) {
	end, err := a.end(ctx, a.Options.Window)
	if err != nil || end.Hash.IsZero() {
		return 0, nil, err
	}
	for _, p := range slices.Concat(a.Validators, a.Miners) {
		a.Progress("comparing the sync sample of uid %d", p.UID)
		s, verdict := a.sample(ctx, p, a.Options.Window)
		if verdict.OK() && s.Aggregate == a.hash && slices.Equal(s.Values, a.SampleOf(params, end, p.Hotkey)) {
			agree++
		} else if verdict.OK() {
			faults = append(faults, fmt.Sprintf("uid %d sampled other parameters after window %d", p.UID, a.Options.Window))
		}
	}
	return agree, faults, ctx.Err()
}

func (a *auditor) sample(ctx context.Context, p Party, w protocol.Window) (*wire.Sample, protocol.Verdict) {
	n := a.SampleSize()
	b, err := read(ctx, p.Bucket, protocol.SampleKey(w, p.UID), wire.MaxSampleSize(n))
	if errors.Is(err, store.ErrNotFound) {
		return nil, protocol.VerdictMissing
	}
	if err != nil {
		return nil, protocol.VerdictUnreachable
	}
	return wire.DecodeSample(b, wire.Expect{Run: a.Hash, Window: w, UID: p.UID, Hotkey: p.Hotkey}, n)
}

// end is the first block after a window: the chain's, or, without one, what a validator
// reported; zero when nobody did.
func (a *auditor) end(ctx context.Context, w protocol.Window) (chain.Block, error) {
	if a.Chain != nil {
		return a.Chain.Block(ctx, a.Params.FirstBlock(w+1))
	}
	for _, v := range a.Validators {
		if r, err := a.Report(ctx, v, w); err == nil {
			return chain.Block{Hash: r.End}, nil
		}
	}
	return chain.Block{}, nil
}
