package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/chain"
	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/model"
	"templar/internal/replica"
	"templar/internal/store"
	"templar/protocol"
)

// replay computes the parameters before the window from the nearest checkpoint, and compares
// each state on the way with the states that the validators have signed.
func (a *auditor) replay(ctx context.Context) error {
	from, err := a.nearest(ctx)
	if err != nil || a.model == nil {
		return err
	}
	w := &witnesses{auditor: a}
	begun := a.model.Next()
	for a.model.Next() < a.Options.Window {
		a.Progress("replaying window %d, up to %d", a.model.Next(), a.Options.Window)
		if err := a.commit(ctx); errors.Is(err, errUnknown) {
			a.add("state", Unknown, "from %s: %v", from, err)
			a.model = nil
			return nil
		} else if err != nil {
			return err
		}
		w.count(ctx)
	}
	a.replayed = w
	a.before = a.model.StateHash()
	a.how = fmt.Sprintf("replayed from %s", from)
	if n := a.Options.Window + 1 - begun; n > 1 {
		a.how += fmt.Sprintf(" over %d windows", n)
	}
	return nil
}

// place is the location of a checkpoint.
type place struct {
	Party
	next protocol.Window
}

func (p place) String() string {
	return fmt.Sprintf("checkpoint-%d of validator uid %d", p.next, p.UID)
}

// nearest loads the newest checkpoint before the window that the validators do not contradict,
// or theta_0, which follows from the run parameters. There is no model if theta_0 cannot be read.
func (a *auditor) nearest(ctx context.Context) (from string, err error) {
	places, err := a.places(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range places {
		a.Progress("loading %v", p)
		s, err := a.load(ctx, p)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil {
			a.add("checkpoint", Unknown, "of validator uid %d cannot be used: %v", p.UID, err)
			continue
		}
		a.model = replica.New(a.Run, a.start, replica.Head{Next: s.Next, Previous: s.Previous, Term: s.Term}, s.Params)
		if a.vouched(ctx, p) {
			return p.String(), nil
		}
		a.model = nil // free it before the next one is loaded
	}
	params, err := a.theta0(ctx)
	if params != nil {
		a.model = replica.New(a.Run, a.start, replica.Head{Next: a.start.StartWindow}, params)
	}
	return "theta_0", err
}

// theta0 returns what the run's seed draws, or the imported model whose hash the run parameters state: nil if it
// cannot be read.
func (a *auditor) theta0(ctx context.Context) ([]float32, error) {
	params := model.Init(a.Run.Params.Model, a.Run.Params.Seed)
	got, want := a.Run.Space.Hash(params), a.start.StateHash
	switch {
	case got == want:
		a.judge("start", nil, "theta_0, drawn from the run's seed: no signature is needed")
		return params, nil
	case want != a.Run.Params.Theta0:
		a.judge("start", []string{fmt.Sprintf("its hash is %s; announced was %s", got.Short(), want.Short())}, "theta_0, drawn from the run's seed")
		return params, nil
	}
	params = nil // free it before the other is read
	why := "no validator serves it"
	for _, v := range a.Validators {
		p := place{v, checkpoint.Imported}
		a.Progress("loading %v", p)
		s, err := a.read(ctx, p)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && a.Run.Space.Hash(s.Params) == want {
			a.judge("start", nil, "theta_0, imported, with the hash in the run parameters: no signature is needed")
			return s.Params, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			why = fmt.Sprintf("%v: %v", p, err)
		}
	}
	a.add("start", Unknown, "theta_0 %s is an imported model: %s", want.Short(), why)
	return nil, nil
}

// read reads a checkpoint. It has as much time as a node that joins.
func (a *auditor) read(ctx context.Context, p place) (checkpoint.State, error) {
	ctx, cancel := clock.WithTimeout(ctx, a.Clock, checkpoint.Patience(a.Run))
	defer cancel()
	return checkpoint.Load(ctx, p.Bucket, a.Run, p.next, p.Hotkey)
}

// load reads a checkpoint and checks it against the announcement.
func (a *auditor) load(ctx context.Context, p place) (checkpoint.State, error) {
	s, err := a.read(ctx, p)
	if err == nil && s.Start != a.start.StartWindow {
		err = fmt.Errorf("%v: it states that the run starts at window %d; announced was %d", p, s.Start, a.start.StartWindow)
	}
	return s, err
}

// places lists the validators' checkpoints before the window, the newest first.
func (a *auditor) places(ctx context.Context) (places []place, err error) {
	for _, v := range a.Validators {
		places = append(places, a.listed(ctx, v)...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	slices.SortStableFunc(places, func(x, y place) int { return cmp.Compare(y.next, x.next) })
	return places, nil
}

// listed returns a validator's newest checkpoints before the window: at most as many as an honest
// validator keeps, to bound the work, and none if they cannot be listed.
func (a *auditor) listed(ctx context.Context, v Party) (places []place) {
	ctx, cancel := a.schedule().WithTimeout(ctx)
	defer cancel()
	windows, err := checkpoint.Windows(ctx, v.Bucket)
	if err != nil {
		return nil // use another validator's
	}
	for _, next := range windows {
		if next <= a.Options.Window && next > a.start.StartWindow && len(places) < checkpoint.Kept {
			places = append(places, place{v, next})
		}
	}
	return places
}

// commit applies the next Aggregate.
func (a *auditor) commit(ctx context.Context) error {
	w := a.model.Next()
	agg, hash, _, verdict := a.aggregates().Fetch(ctx, w, a.docket.Terms().Of(w), a.Clock.Now().Add(a.Run.Params.Gather()))
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

// checkState applies the window, and compares the states before and after it with those that
// nodes have reported. Nodes with other states are named.
func (a *auditor) checkState(ctx context.Context) error {
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
	a.finality(ctx)
	a.replayed.report()
	slices.Sort(faults)
	if len(faults) > 0 && a.doubt != "" {
		faults = append(faults, fmt.Sprintf("or %s is false, on which this replay rests", a.doubt))
	}
	a.judge("state", faults, "%s: %s after window %d; %d statements of nodes agree", a.how, a.State.Short(), a.Options.Window, agree)
	return nil
}

// reported compares the state before a window with those that validators reported.
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

// sampled compares the parameters after the window with all nodes' sync samples: the state hash,
// and the values if their positions are known.
func (a *auditor) sampled(ctx context.Context, params []float32) (agree int, faults []string, err error) {
	w := a.Options.Window
	end, err := a.end(ctx, w)
	if err != nil {
		return 0, nil, err
	}
	for _, p := range slices.Concat(a.Validators, a.Miners) {
		a.Progress("comparing the sync sample of uid %d", p.UID)
		s, verdict := a.attested().Fetch(ctx, p.peer(), w)
		switch {
		case !verdict.OK():
		case s.Issue.Content != a.hash:
			faults = append(faults, fmt.Sprintf("uid %d signed that it applied the aggregate %s in window %d; it is %s", p.UID, s.Issue.Content.Short(), w, a.hash.Short()))
		case s.State != a.State:
			faults = append(faults, fmt.Sprintf("uid %d signed the state %s after window %d; it is %s", p.UID, s.State.Short(), w, a.State.Short()))
		case !end.Hash.IsZero() && !slices.Equal(s.Values, a.attested().Of(params, end, p.Hotkey)):
			faults = append(faults, fmt.Sprintf("uid %d sampled other parameters after window %d", p.UID, w))
		default:
			agree++
		}
	}
	return agree, faults, ctx.Err()
}

// end is the first block after a window: the chain's, or, without one, what a validator
// reported; zero when there is no report.
func (a *auditor) end(ctx context.Context, w protocol.Window) (chain.Block, error) {
	if a.Chain != nil {
		return a.Chain.Block(ctx, a.Run.Params.FirstBlock(w+1))
	}
	for _, v := range a.Validators {
		if r, err := a.Report(ctx, v, w); err == nil {
			return chain.Block{Hash: r.End}, nil
		}
	}
	return chain.Block{}, nil
}
