package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"templar/internal/attest"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/versioned"
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
	Docket    *attest.Docket
	Hotkey    protocol.Hotkey // the node's own
	Local     store.Reader    // its own directory
	Scratch   string          // folder for downloads, which the next start continues; empty: directly into memory
	Log       *slog.Logger
}

// Restore returns the newest final state: from the validators' buckets, highest stake first,
// from the own bucket and from the node's own directory, or else theta_0. A state is final when more than
// half of the stake has signed it, or this node's own record says so. States after window
// w, on which the node may still have work to do, come last. A miner's private state is kept
// even when its parameters come from another node. A damaged or false checkpoint is logged, and
// the next one is tried.
func (f Finder) Restore(ctx context.Context, announced wire.StartWindow, w protocol.Window) (State, error) {
	finals, err := f.finals(ctx)
	if err != nil {
		return State{}, err
	}
	places, err := f.find(ctx)
	if err != nil {
		return State{}, err
	}
	f.Docket.Refresh(ctx, nil)
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
		s, err := f.load(ctx, p, announced, finals)
		if ctx.Err() != nil {
			return State{}, ctx.Err()
		}
		if errors.Is(err, errNotFinal) {
			f.Log.Info("checkpoint passed over", "from", p.name, "window", p.next, "err", err)
			continue
		}
		if ownDisk(err) {
			return State{}, fmt.Errorf("restore a checkpoint: %w", err)
		}
		if err != nil {
			f.Log.Warn("checkpoint refused", "from", p.name, "window", p.next, "err", err)
			continue
		}
		s.Private = f.newestPrivate(ctx, places)
		f.Log.Info("final state restored", "from", p.name, "window", s.Next, "step", f.Run.Params.Step(s.Start, s.Next))
		return s, nil
	}
	return f.first(ctx, places, announced)
}

// ownDisk reports a fault of the folder for downloads: no other checkpoint would fare better, and this one is not to blame.
func ownDisk(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// first is theta_0, unless the Aggregates that follow it are past their retention.
func (f Finder) first(ctx context.Context, places []place, announced wire.StartWindow) (State, error) {
	s := State{Start: announced.StartWindow, Next: announced.StartWindow}
	now, err := f.Schedule.CurrentWindow(ctx)
	if err != nil {
		return s, err
	}
	if now > s.Start+schedule.Retention(f.Run.Params) {
		return s, ErrNone
	}
	if s.Params, err = f.Theta0(ctx, announced.StateHash); err != nil {
		return s, err
	}
	s.Private = f.newestPrivate(ctx, places)
	return s, nil
}

// load reads a checkpoint's parameters and verifies them. The time for the validators' samples
// does not depend on the time of the download, which the owner controls.
func (f Finder) load(ctx context.Context, p place, announced wire.StartWindow, finals []attest.Mark) (State, error) {
	c, err := f.manifest(ctx, p, announced)
	if err != nil {
		return State{}, err
	}
	m := &c.manifest
	if f.Docket.Terms().Void(m.Next-1, m.Term) {
		return State{}, fmt.Errorf("%w: it follows a false aggregate", errNotFinal)
	}
	held := attest.State{
		Window: m.Next - 1, Step: m.Step, Issue: wire.Issue{Window: m.Next - 1, Term: m.Term, Content: m.Previous}, Hash: m.StateHash,
	}
	known := p.owner == f.Hotkey && slices.Contains(finals, attest.Mark{Next: m.Next, Hash: m.StateHash})
	if !known {
		if err := f.vote(ctx, held); err != nil { // before gigabytes are fetched
			return State{}, err
		}
	}
	s, err := f.fetch(ctx, c)
	if err != nil || known {
		return s, err
	}
	held.Params = s.Params
	return s, f.vote(ctx, held)
}

func (f Finder) manifest(ctx context.Context, p place, announced wire.StartWindow) (folder, error) {
	ctx, cancel := f.Schedule.WithTimeout(ctx)
	defer cancel()
	c, err := f.open(ctx, p)
	if err == nil {
		err = check(&c.manifest, announced)
	}
	return c, err
}

func (f Finder) fetch(ctx context.Context, c folder) (State, error) {
	ctx, cancel := clock.WithTimeout(ctx, f.Schedule.Clock, Patience(f.Run))
	defer cancel()
	return c.state(ctx)
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

// check compares a manifest with the announcement.
func check(m *Manifest, a wire.StartWindow) error {
	switch {
	case m.Start != a.StartWindow:
		return fmt.Errorf("the run starts at window %d, this at %d", a.StartWindow, m.Start)
	case m.Next <= m.Start:
		return errors.New("it is before the run's first window")
	}
	return nil
}

// errNotFinal is wrapped when a checkpoint's state is not final.
var errNotFinal = errors.New("not final")

// vote demands that more than half of the stake has signed a state, since a node that joins cannot
// recompute it, and a node that returns has one that others may have called false since.
func (f Finder) vote(ctx context.Context, held attest.State) error {
	if a := f.Samples.Attest(ctx, f.Directory.Validators(), held, f.Hotkey); !a.Backed() {
		return fmt.Errorf("%w: validators with a stake of %d of %d have signed it", errNotFinal, a.Agree, a.Total)
	}
	return nil
}

// Finals is the list of final states in a node's own directory.
type Finals struct {
	Run    protocol.Hash `json:"run"`
	Finals []attest.Mark `json:"finals"` // ascending
}

// FinalsFile is Finals.
var FinalsFile = versioned.File{
	Name: "final.json", Version: 1, Remedy: "run the release that wrote it, or move it away: what is final is then read from the validators again",
}

// finals are the states that this node has found final before. A list that is damaged or another run's is empty.
func (f Finder) finals(ctx context.Context) ([]attest.Mark, error) {
	var list Finals
	err := store.LoadFile(ctx, f.Local, FinalsFile, wire.MaxSealedSize, &list)
	if versioned.Is(err) {
		return nil, err
	}
	if err != nil || list.Run != f.Run.Hash {
		return nil, nil
	}
	return list.Finals, nil
}

// find lists all available checkpoints, the newest first; on a tie the validators', by stake, then
// the own bucket, then the own directory.
func (f Finder) find(ctx context.Context) ([]place, error) {
	now, err := f.Schedule.CurrentWindow(ctx)
	if err != nil {
		return nil, err
	}
	at := f.places()
	found := make([][]place, len(at))
	f.Schedule.Clock.Each(len(at), len(at), func(i int) { found[i] = f.listed(ctx, at[i], now) })
	places := slices.Concat(found...)
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(b.next, a.next) })
	return places, ctx.Err()
}

// places are where checkpoints may be: the validators' buckets, highest stake first, the own one, and
// the own directory.
func (f Finder) places() (at []place) {
	var own []place
	for _, v := range f.Directory.Validators() {
		p := place{reader: v.Bucket, owner: v.Hotkey, scratch: f.Scratch, name: fmt.Sprintf("validator uid %d", v.UID)}
		if v.Hotkey == f.Hotkey {
			p.name = "own bucket"
			own = append(own, p)
			continue
		}
		at = append(at, p)
	}
	return append(append(at, own...), place{reader: f.Local, owner: f.Hotkey, name: ownDirectory})
}

// ownDirectory is the place of a miner's private state.
const ownDirectory = "own directory"

// listed returns a node's newest checkpoints: at most as many as Save keeps, to bound the work, and
// none of future windows.
func (f Finder) listed(ctx context.Context, at place, now protocol.Window) []place {
	ctx, cancel := f.Schedule.WithTimeout(ctx)
	defer cancel()
	windows, err := Windows(ctx, at.reader)
	if err != nil {
		f.Log.Warn("cannot list checkpoints", "from", at.name, "err", err)
	}
	windows = slices.DeleteFunc(windows, func(w protocol.Window) bool { return w == Imported || w > now })
	var out []place
	for _, at.next = range windows[:min(len(windows), Kept+1)] {
		out = append(out, at)
	}
	return out
}

// newestPrivate returns the private state that the own directory got last; nil when it holds none. After a
// return to a final state that may be a checkpoint of an earlier window than others.
func (f Finder) newestPrivate(ctx context.Context, places []place) []method.Tensor {
	var own []folder
	for _, p := range places {
		if p.name != ownDirectory {
			continue
		}
		c, err := f.open(ctx, p)
		if err != nil {
			f.Log.Warn("private state refused", "window", p.next, "err", err)
			continue
		}
		own = append(own, c)
	}
	slices.SortStableFunc(own, func(a, b folder) int { return cmp.Compare(b.manifest.Current, a.manifest.Current) })
	for _, c := range own {
		private, err := c.private(ctx)
		if err == nil && private != nil {
			return private
		}
		if err != nil {
			f.Log.Warn("private state refused", "window", c.next, "err", err)
		}
	}
	return nil
}
