package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"templar/internal/clock"
	"templar/internal/exchange"
	"templar/internal/run"
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

	scratch string // for downloads
}

// ErrNone is what Restore returns when there is nothing that it can use.
var ErrNone = errors.New("no usable checkpoint in the own directory or in any validator's bucket")

// Restore returns the newest state that can be had: of the validators' buckets, highest
// stake first, of the own bucket and of the node's own directory, and theta_0 at the
// least. States that stand after window w, on which the node may still have work to do, come
// last. A miner's private state survives even when its parameters come from elsewhere. A
// torn or lying checkpoint is named in the log, and the next one is tried.
//
// A download goes through the folder scratch, where the next start goes on with it; when
// scratch is empty, straight into memory.
func Restore(ctx context.Context, x *exchange.Exchange, local store.Reader, scratch string, announced wire.StartWindow, w protocol.Window, log *slog.Logger) (State, error) {
	places, err := find(ctx, x, local, scratch, log)
	if err != nil {
		return State{}, err
	}
	after := func(p place) int {
		if p.next > w {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(places, func(a, b place) int { return after(a) - after(b) })
	if scratch != "" {
		defer func() {
			if ctx.Err() == nil {
				_ = os.RemoveAll(scratch) // what is left costs room, and no more
			}
		}()
	}
	for _, p := range places {
		s, err := p.load(ctx, x, announced)
		if ctx.Err() != nil {
			return State{}, ctx.Err()
		}
		if err != nil {
			log.Warn("checkpoint refused", "from", p.name, "window", p.next, "err", err)
			continue
		}
		s.Momentum, s.Iteration = newestPrivate(ctx, x, places, log)
		log.Info("state restored", "from", p.name, "window", s.Next, "step", x.Params.Step(s.Start, s.Next))
		return s, nil
	}
	return State{}, ErrNone
}

// load reads a checkpoint's parameters and verifies them. The validators are heard however
// long the download took: it is its owner's to take all the time there is.
func (p place) load(ctx context.Context, x *exchange.Exchange, announced wire.StartWindow) (State, error) {
	s, hash, err := p.fetch(ctx, x, announced)
	if err == nil {
		err = vote(ctx, x, s, hash, p.owner)
	}
	return s, err
}

// fetch reads a checkpoint's state, and the hash of its parameters.
func (p place) fetch(ctx context.Context, x *exchange.Exchange, announced wire.StartWindow) (s State, hash protocol.Hash, err error) {
	ctx, cancel := clock.WithTimeout(ctx, x.Clock, Patience(x.Run))
	defer cancel()
	f, err := p.open(ctx, x)
	if err == nil {
		err = check(&f.manifest, announced) // before gigabytes are fetched
	}
	if err == nil {
		s, err = f.state(ctx)
	}
	return s, f.manifest.StateHash, err
}

func (p place) open(ctx context.Context, x *exchange.Exchange) (folder, error) {
	return open(ctx, folder{reader: p.reader, run: x.Run, next: p.next, owner: p.owner, scratch: p.scratch, clock: x.Clock})
}

// Patience is how long a download may take: who is slower cannot follow the run, and a
// store that hangs must not keep a node from the next one.
func Patience(r run.Run) time.Duration {
	const slowest = 1 << 20 // bytes a second
	bytes := 2 * 4 * r.Codec.Layout().Size()
	return r.Params.WindowTime() + time.Duration(bytes/slowest)*time.Second
}

// check holds a manifest against the announcement: theta_0 must be the announced one.
func check(m *Manifest, a wire.StartWindow) error {
	switch {
	case m.Start != a.StartWindow:
		return fmt.Errorf("the run starts at window %d, this at %d", a.StartWindow, m.Start)
	case m.Next > m.Start:
		return nil
	case m.StateHash != a.StateHash:
		return fmt.Errorf("state hash of theta_0 is %s, announced was %s", m.StateHash.Short(), a.StateHash.Short())
	case !m.Previous.IsZero():
		return errors.New("theta_0 follows no aggregate")
	}
	return nil
}

// vote holds a state, whose hash is given, against what validators have signed of theirs:
// who joins cannot recompute it, but each validator has told what it holds. Another node's
// state is refused when more stake contradicts its owner than agrees, our own when more than
// half of all does: no small validator shall keep us from what we have verified ourselves.
func vote(ctx context.Context, x *exchange.Exchange, s State, hash protocol.Hash, owner protocol.Hotkey) error {
	if s.Next == s.Start {
		return nil // announced by hash
	}
	held := exchange.State{Window: s.Next - 1, Step: x.Params.Step(s.Start, s.Next), Aggregate: s.Previous, Hash: hash, Params: s.Params}
	a := x.Attest(ctx, x.Directory.Validators(), held, owner)
	if own := owner == x.Signer.Hotkey(); own && a.Outvoted() || !own && a.Contradicted() {
		return fmt.Errorf("the validators hold other parameters (%v)", a)
	}
	return nil
}

// find lists all checkpoints that can be, the newest first; on a tie the validators', by
// stake, then the own bucket, then the own directory.
func find(ctx context.Context, x *exchange.Exchange, local store.Reader, scratch string, log *slog.Logger) ([]place, error) {
	now, err := x.CurrentWindow(ctx)
	if err != nil {
		return nil, err
	}
	var at, own []place
	for _, v := range x.Directory.Validators() {
		p := place{reader: v.Bucket, owner: v.Hotkey, scratch: scratch, name: fmt.Sprintf("validator uid %d", v.UID)}
		if v.Hotkey == x.Signer.Hotkey() {
			p.name = "own bucket"
			own = append(own, p)
			continue
		}
		at = append(at, p)
	}
	at = append(append(at, own...), place{reader: local, owner: x.Signer.Hotkey(), name: ownDirectory})
	found := make([][]place, len(at))
	x.Clock.Each(len(at), len(at), func(i int) { found[i] = listed(ctx, x, at[i], now, log) })
	places := slices.Concat(found...)
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(b.next, a.next) })
	return places, ctx.Err()
}

// ownDirectory is where a miner keeps its private state.
const ownDirectory = "own directory"

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
	for _, at.next = range windows[:min(len(windows), Kept)] {
		out = append(out, at)
	}
	return out
}

// maxNotice is how many windows ahead a run is announced at most.
const maxNotice = 2

// newestPrivate returns the newest momentum that the own directory holds; nil when it
// holds none.
func newestPrivate(ctx context.Context, x *exchange.Exchange, places []place, log *slog.Logger) ([]float32, uint64) {
	for _, p := range places {
		if p.name != ownDirectory {
			continue
		}
		f, err := p.open(ctx, x)
		if err == nil {
			var momentum []float32
			var iteration uint64
			if momentum, iteration, err = f.private(ctx); err == nil && momentum != nil {
				return momentum, iteration
			}
		}
		if err != nil {
			log.Warn("momentum refused", "window", p.next, "err", err)
		}
	}
	return nil, 0
}
