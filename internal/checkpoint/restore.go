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

	"templar/internal/attest"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// place is the location of a checkpoint.
type place struct {
	reader store.Reader
	owner  protocol.Hotkey
	next   protocol.Window
	name   string

	scratch string // for downloads
}

// ErrNone is what Restore returns when there is nothing that it can use.
var ErrNone = errors.New("no usable checkpoint in the own directory or in any validator's bucket")

// Finder finds checkpoints: in the validators' buckets, in the node's own, and in its own
// directory.
type Finder struct {
	Run       run.Run
	Schedule  schedule.Schedule
	Directory *directory.Directory
	Samples   attest.Samples
	Hotkey    protocol.Hotkey // the node's own
	Local     store.Reader    // its own directory
	Scratch   string          // folder for downloads, which the next start continues; empty: directly into memory
	Log       *slog.Logger
}

// Restore returns the newest usable state: from the validators' buckets, highest stake first,
// from the own bucket and from the node's own directory, or else theta_0. States after window
// w, on which the node may still have work to do, come last. A miner's private state is kept
// even when its parameters come from another node. A damaged or false checkpoint is logged, and
// the next one is tried.
func (f Finder) Restore(ctx context.Context, announced wire.StartWindow, w protocol.Window) (State, error) {
	places, err := f.find(ctx)
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
	if f.Scratch != "" {
		defer func() {
			if ctx.Err() == nil {
				_ = os.RemoveAll(f.Scratch) // leftover files only take space
			}
		}()
	}
	for _, p := range places {
		s, err := f.load(ctx, p, announced)
		if ctx.Err() != nil {
			return State{}, ctx.Err()
		}
		if err != nil {
			f.Log.Warn("checkpoint refused", "from", p.name, "window", p.next, "err", err)
			continue
		}
		s.Private = f.newestPrivate(ctx, places)
		f.Log.Info("state restored", "from", p.name, "window", s.Next, "step", f.Run.Params.Step(s.Start, s.Next))
		return s, nil
	}
	return State{}, ErrNone
}

// load reads a checkpoint's parameters and verifies them. The time for the validators' samples
// does not depend on the time of the download, which the owner controls.
func (f Finder) load(ctx context.Context, p place, announced wire.StartWindow) (State, error) {
	s, hash, err := f.fetch(ctx, p, announced)
	if err == nil {
		err = f.vote(ctx, s, hash, p.owner)
	}
	return s, err
}

// fetch reads a checkpoint's state, and the hash of its parameters.
func (f Finder) fetch(ctx context.Context, p place, announced wire.StartWindow) (s State, hash protocol.Hash, err error) {
	ctx, cancel := clock.WithTimeout(ctx, f.Schedule.Clock, Patience(f.Run))
	defer cancel()
	c, err := f.open(ctx, p)
	if err == nil {
		err = check(&c.manifest, announced) // before gigabytes are fetched
	}
	if err == nil {
		s, err = c.state(ctx)
	}
	return s, c.manifest.StateHash, err
}

func (f Finder) open(ctx context.Context, p place) (folder, error) {
	return open(ctx, folder{reader: p.reader, run: f.Run, next: p.next, owner: p.owner, scratch: p.scratch, clock: f.Schedule.Clock})
}

// Patience is the time limit of a download. A slower node cannot follow the run, and a store that
// hangs must not keep a node from the next one.
func Patience(r run.Run) time.Duration {
	const slowest = 1 << 20 // bytes a second
	bytes := 2 * 4 * r.Space.Size()
	return r.Params.WindowTime() + time.Duration(bytes/slowest)*time.Second
}

// check compares a manifest with the announcement: theta_0 must be the announced one.
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

// vote compares a state, whose hash is given, with the states that validators have signed, since a
// node that joins cannot recompute it. Another node's state is refused when more stake
// contradicts its owner than agrees; our own only when more than half of all stake contradicts
// it, so that a small validator cannot reject a state that we have verified.
func (f Finder) vote(ctx context.Context, s State, hash protocol.Hash, owner protocol.Hotkey) error {
	if s.Next == s.Start {
		return nil // announced by hash
	}
	held := attest.State{Window: s.Next - 1, Step: f.Run.Params.Step(s.Start, s.Next), Issue: wire.Issue{Window: s.Next - 1, Term: s.Term, Content: s.Previous}, Hash: hash, Params: s.Params}
	a := f.Samples.Attest(ctx, f.Directory.Validators(), held, owner)
	if own := owner == f.Hotkey; (own && a.Outvoted()) || (!own && a.Contradicted()) {
		return fmt.Errorf("the validators hold other parameters (%v)", a)
	}
	return nil
}

// find lists all available checkpoints, the newest first; on a tie the validators', by stake, then
// the own bucket, then the own directory.
func (f Finder) find(ctx context.Context) ([]place, error) {
	now, err := f.Schedule.CurrentWindow(ctx)
	if err != nil {
		return nil, err
	}
	var at, own []place
	for _, v := range f.Directory.Validators() {
		p := place{reader: v.Bucket, owner: v.Hotkey, scratch: f.Scratch, name: fmt.Sprintf("validator uid %d", v.UID)}
		if v.Hotkey == f.Hotkey {
			p.name = "own bucket"
			own = append(own, p)
			continue
		}
		at = append(at, p)
	}
	at = append(append(at, own...), place{reader: f.Local, owner: f.Hotkey, name: ownDirectory})
	found := make([][]place, len(at))
	f.Schedule.Clock.Each(len(at), len(at), func(i int) { found[i] = f.listed(ctx, at[i], now) })
	places := slices.Concat(found...)
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(b.next, a.next) })
	return places, ctx.Err()
}

// ownDirectory is the place of a miner's private state.
const ownDirectory = "own directory"

// listed returns a node's newest checkpoints: at most as many as Save keeps, to bound the work, and
// none of future windows except theta_0, which is announced ahead.
func (f Finder) listed(ctx context.Context, at place, now protocol.Window) []place {
	ctx, cancel := f.Schedule.WithTimeout(ctx)
	defer cancel()
	windows, err := Windows(ctx, at.reader)
	if err != nil {
		f.Log.Warn("cannot list checkpoints", "from", at.name, "err", err)
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

// newestPrivate returns the newest private state that the own directory holds; nil when it
// holds none.
func (f Finder) newestPrivate(ctx context.Context, places []place) []method.Tensor {
	for _, p := range places {
		if p.name != ownDirectory {
			continue
		}
		c, err := f.open(ctx, p)
		if err == nil {
			var private []method.Tensor
			if private, err = c.private(ctx); err == nil && private != nil {
				return private
			}
		}
		if err != nil {
			f.Log.Warn("private state refused", "window", p.next, "err", err)
		}
	}
	return nil
}
