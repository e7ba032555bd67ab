package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"templar/internal/clock"
	"templar/internal/exchange"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// place is where a checkpoint may be found.
type place struct {
	reader store.Reader
	owner  protocol.Hotkey
	next   protocol.Window
	name   string
}

// Restore returns the newest state that can be had: of the node's own directory and of
// the validators' buckets, highest stake first, and theta_0 at the least. A miner's
// private state survives even when its parameters come from elsewhere. A torn or lying
// checkpoint is named in the log, and the next one is tried.
func Restore(ctx context.Context, x *exchange.Exchange, local store.Reader, announced wire.StartWindow, log *slog.Logger) (State, error) {
	places, err := find(ctx, x, local, log)
	if err != nil {
		return State{}, err
	}
	for _, p := range places {
		s, err := p.load(ctx, x)
		if err == nil {
			err = check(s, announced, x.Run)
		}
		if err == nil && p.owner != x.Signer.Hotkey() && s.Next > s.Start {
			err = vote(ctx, x, s, p.owner)
		}
		if ctx.Err() != nil {
			return State{}, ctx.Err()
		}
		if err != nil {
			log.Warn("checkpoint refused", "from", p.name, "window", p.next, "err", err)
			continue
		}
		if s.Momentum == nil {
			s.Momentum, s.Iteration = newestPrivate(ctx, x, places)
		}
		log.Info("state restored", "from", p.name, "window", s.Next, "step", x.Params.Step(s.Start, s.Next))
		return s, nil
	}
	return State{}, errors.New("no usable checkpoint in the own directory or in any validator's bucket")
}

// load reads a checkpoint. What another node calls our private state is not ours.
func (p place) load(ctx context.Context, x *exchange.Exchange) (State, error) {
	ctx, cancel := clock.WithTimeout(ctx, x.Clock, patience(x))
	defer cancel()
	s, err := Load(ctx, p.reader, x.Run, p.next, p.owner)
	if p.owner != x.Signer.Hotkey() {
		s.Momentum, s.Iteration = nil, 0
	}
	return s, err
}

// patience is how long a download may take: who is slower cannot follow the run, and a
// store that hangs must not keep a node from the next one.
func patience(x *exchange.Exchange) time.Duration {
	const slowest = 1 << 20 // bytes a second
	bytes := 2 * 4 * x.Codec.Layout().Size()
	return x.Params.WindowTime() + time.Duration(bytes/slowest)*time.Second
}

// check holds a state against the announcement: theta_0 must be the announced one.
func check(s State, a wire.StartWindow, run exchange.Run) error {
	if s.Start != a.StartWindow {
		return fmt.Errorf("the run starts at window %d, this at %d", a.StartWindow, s.Start)
	}
	if s.Next > s.Start {
		return nil
	}
	if got := run.Codec.StateHash(s.Params); got != a.StateHash {
		return fmt.Errorf("state hash of theta_0 is %s, announced was %s", got.Short(), a.StateHash.Short())
	}
	if !s.Previous.IsZero() {
		return errors.New("theta_0 follows no aggregate")
	}
	return nil
}

// vote holds a validator's state against the sync samples of the others. Who joins
// cannot recompute a state, but each validator has told what it holds: the state is
// refused when more stake contradicts its owner than agrees.
func vote(ctx context.Context, x *exchange.Exchange, s State, owner protocol.Hotkey) error {
	end, err := x.Chain.Block(ctx, x.Params.FirstBlock(s.Next))
	if err != nil {
		return fmt.Errorf("end of window %d: %w", s.Next-1, err)
	}
	var agree, against uint64
	for _, v := range x.Validators() {
		if v.Hotkey == owner {
			agree += v.Stake
			continue
		}
		sample, verdict := x.Sample(ctx, v, s.Next-1)
		switch {
		case !verdict.OK():
		case sample.Aggregate == s.Previous && slices.Equal(sample.Values, x.SampleOf(s.Params, end, v.Hotkey)):
			agree += v.Stake
		default:
			against += v.Stake
		}
	}
	if against > agree {
		return fmt.Errorf("validators with a stake of %d hold other parameters, with %d these", against, agree)
	}
	return nil
}

// find lists all checkpoints that can be, the newest first; on a tie the own directory,
// then the higher stake.
func find(ctx context.Context, x *exchange.Exchange, local store.Reader, log *slog.Logger) ([]place, error) {
	now, err := x.CurrentWindow(ctx)
	if err != nil {
		return nil, err
	}
	places := listed(ctx, x, place{reader: local, owner: x.Signer.Hotkey(), name: "own directory"}, now, log)
	for _, v := range x.Validators() {
		at := place{reader: v.Bucket, owner: v.Hotkey, name: fmt.Sprintf("validator uid %d", v.UID)}
		places = append(places, listed(ctx, x, at, now, log)...)
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(b.next, a.next) })
	return places, ctx.Err()
}

// listed returns a node's newest checkpoints: as many as Save keeps, so that nobody can
// make us try a thousand, and none from the future but theta_0, which is announced ahead.
func listed(ctx context.Context, x *exchange.Exchange, at place, now protocol.Window, log *slog.Logger) []place {
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	windows, err := Windows(ctx, at.reader)
	if err != nil {
		log.Warn("cannot list checkpoints", "from", at.name, "err", err)
	}
	windows = slices.DeleteFunc(windows, func(w protocol.Window) bool { return w > now+maxNotice })
	var out []place
	for _, at.next = range windows[:min(len(windows), keepLast)] {
		out = append(out, at)
	}
	return out
}

// maxNotice is how many windows ahead a run is announced at most.
const maxNotice = 2

// newestPrivate returns the momentum of the newest checkpoint of our own that has one.
func newestPrivate(ctx context.Context, x *exchange.Exchange, places []place) ([]float32, uint64) {
	me := x.Signer.Hotkey()
	for _, p := range places {
		if p.owner != me {
			continue
		}
		if s, err := p.load(ctx, x); err == nil && s.Momentum != nil {
			return s.Momentum, s.Iteration
		}
	}
	return nil, 0
}
