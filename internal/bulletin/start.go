package bulletin

import (
	"context"
	"errors"
	"fmt"

	"templar/internal/directory"
	"templar/internal/store"
	"templar/internal/versioned"
	"templar/protocol"
	"templar/wire"
)

// ErrOtherRun is wrapped when validators with more than half of the stake announced other run
// parameters.
var ErrOtherRun = errors.New("the validators announced other run parameters")

// OtherVersionError says that validators with more than half of the stake announced the run in another protocol
// version, whose objects this program does not read. It is an ErrOtherRun.
type OtherVersionError struct{ Version int }

func (e *OtherVersionError) Error() string {
	return fmt.Sprintf("the validators announced the run in protocol version %d, and this program has version %d: run a release of version %[1]d (\"templar version\" prints it), or the parameters of a run of version %[2]d",
		e.Version, protocol.Version)
}

// Is makes it an ErrOtherRun: waiting cannot help.
func (e *OtherVersionError) Is(target error) bool { return target == ErrOtherRun }

// Hopeless reports whether waiting cannot change an error of Start.
func Hopeless(err error) bool { return errors.Is(err, ErrOtherRun) || versioned.Is(err) }

// ErrNotAnnounced is wrapped when no announcement has more than half of the stake.
var ErrNotAnnounced = errors.New("no run announced yet: waiting for validators with more than half of the stake")

// pinFile is the accepted announcement in a node's own directory.
var pinFile = versioned.File{
	Name: "start.json", Version: 1, Remedy: "run the release that wrote it, or move it away: the announcement is then read from the validators again",
}

// PostStart announces the run, or repeats the announcement, in the node's own bucket.
func (b *Board) PostStart(ctx context.Context, s wire.StartWindow) error {
	raw, err := wire.Seal(wire.DomainStartWindow, s, b.Signer)
	if err != nil {
		return err
	}
	return b.put(ctx, protocol.StartWindowKey(), raw)
}

// Start returns the run's announcement: the one that this node has accepted earlier; else the one
// in the run parameters; else the one that validators with more than half of the stake have posted.
// What it returns is pinned in the node's own directory: nothing that a validator posts later changes it.
// The error wraps ErrNotAnnounced, ErrOtherRun or a versioned.Error, or says why the validators' buckets cannot be read.
func (b *Board) Start(ctx context.Context) (wire.StartWindow, error) {
	s, ok, err := b.pinned(ctx)
	if ok || err != nil {
		return s, err
	}
	s, fixed := b.fixed()
	if !fixed {
		if s, err = Majority(b.Announcements(ctx), b.Run.Hash); err != nil {
			return s, err
		}
	}
	return s, b.pin(ctx, s)
}

// fixed is the announcement that the run parameters make.
func (b *Board) fixed() (wire.StartWindow, bool) {
	p := b.Run.Params
	return wire.StartWindow{Run: b.Run.Hash, StartWindow: p.StartWindow, StateHash: p.Theta0}, p.StartWindow > 0
}

// pinned is the announcement that this node has accepted. What is damaged or another run's does not count.
func (b *Board) pinned(ctx context.Context) (s wire.StartWindow, ok bool, err error) {
	if b.Local == nil {
		return s, false, nil
	}
	err = store.LoadFile(ctx, b.Local, pinFile, wire.MaxSealedSize, &s)
	if versioned.Is(err) {
		return s, false, err
	}
	return s, err == nil && s.Run == b.Run.Hash, nil
}

func (b *Board) pin(ctx context.Context, s wire.StartWindow) error {
	if b.Local == nil {
		return nil
	}
	if err := store.SaveFile(ctx, b.Local, pinFile, s); err != nil {
		return fmt.Errorf("keep the announcement: %w", err)
	}
	return nil
}

// Announced is a validator's announcement, or why there is none.
type Announced struct {
	wire.StartWindow
	By  directory.Peer
	Err error
}

// Announcements reads those of all validators, highest stake first.
func (b *Board) Announcements(ctx context.Context) []Announced {
	all := b.Directory.Validators()
	out := make([]Announced, len(all))
	b.Schedule.Clock.Each(len(all), len(all), func(i int) {
		out[i].By = all[i]
		out[i].StartWindow, out[i].Err = b.startOf(ctx, all[i])
	})
	return out
}

// Proposals are what validators have announced of a run and can still be agreed on.
type Proposals struct {
	Best wire.StartWindow // that with the most stake; zero: there is none
	Mine wire.StartWindow // this node's own; zero: there is none
	Rank int              // of this node among the validators, by stake; -1: it is none
}

// Proposals sorts announcements, highest stake first. Those count that are ahead of window now and have the run's theta_0.
func (b *Board) Proposals(all []Announced, now protocol.Window, theta0 protocol.Hash) Proposals {
	p := Proposals{Rank: -1}
	stake := make(map[wire.StartWindow]uint64)
	for i, a := range all {
		ahead := a.Err == nil && a.Run == b.Run.Hash && a.StateHash == theta0 && a.StartWindow.StartWindow > now
		if a.By.Hotkey == b.Signer.Hotkey() {
			if p.Rank = i; ahead {
				p.Mine = a.StartWindow
			}
		}
		if ahead {
			if stake[a.StartWindow] += a.By.Stake; stake[a.StartWindow] > stake[p.Best] {
				p.Best = a.StartWindow
			}
		}
	}
	return p
}

// Majority returns the announcement of a run that more than half of the stake has made.
func Majority(all []Announced, run protocol.Hash) (wire.StartWindow, error) {
	var total, others uint64
	stake, versions := make(map[wire.StartWindow]uint64), make(map[int]uint64)
	why := ErrNotAnnounced
	for _, a := range all {
		total += a.By.Stake
		var version *OtherVersionError
		switch {
		case errors.As(a.Err, &version):
			versions[version.Version] += a.By.Stake
		case errors.Is(a.Err, store.ErrNotFound):
		case a.Err != nil:
			why = fmt.Errorf("%w; %w", ErrNotAnnounced, a.Err)
		case a.Run != run:
			others += a.By.Stake
		default:
			stake[a.StartWindow] += a.By.Stake
		}
	}
	for s, has := range stake {
		if has > total/2 {
			return s, nil
		}
	}
	for version, has := range versions {
		if has > total/2 {
			return wire.StartWindow{}, &OtherVersionError{version}
		}
	}
	if others > total/2 {
		return wire.StartWindow{}, fmt.Errorf("%w than ours %s: take them from the run's owner", ErrOtherRun, run.Short())
	}
	return wire.StartWindow{}, why
}

func (b *Board) startOf(ctx context.Context, p directory.Peer) (s wire.StartWindow, err error) {
	ctx, cancel := b.Schedule.WithPatience(ctx)
	defer cancel()
	err = document(ctx, p, protocol.StartWindowKey(), wire.DomainStartWindow, &s)
	if errors.Is(err, store.ErrNotFound) {
		err = otherVersion(ctx, p, err)
	}
	if err != nil {
		return s, fmt.Errorf("start window of %s: %w", p.Hotkey, err)
	}
	return s, nil
}

// otherVersion looks for an announcement in another protocol version, the newest one. Its content, which
// this version cannot read, does not count; that only its owner can write to the bucket suffices to refuse.
func otherVersion(ctx context.Context, p directory.Peer, missing error) error {
	const most = 64 // keys: there is one for each version
	listed, err := p.Bucket.List(ctx, protocol.StartWindowPrefix, "", most)
	if err != nil {
		return missing
	}
	newest := 0
	for _, o := range listed {
		if v, ok := protocol.StartWindowVersion(o.Key); ok {
			newest = max(newest, v)
		}
	}
	if newest == 0 || newest == protocol.Version {
		return missing
	}
	return &OtherVersionError{newest}
}
