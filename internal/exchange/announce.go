package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/peers"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// PostStart announces the run, or repeats the announcement, in the node's own bucket.
func (x *Exchange) PostStart(ctx context.Context, s wire.StartWindow) error {
	b, err := wire.Seal(wire.DomainStartWindow, s, x.Signer)
	if err != nil {
		return err
	}
	return x.Put(ctx, protocol.StartWindowKey(), b)
}

// ErrOtherRun is wrapped when the lead validator announced other run parameters.
var ErrOtherRun = errors.New("the lead validator announced other run parameters")

// FetchStart looks the start window up at the validators, highest stake first. They all
// repeat the announcement, so that a run outlives the validator that made it: one that
// cannot be read is passed over. An error that wraps store.ErrNotFound means that nobody
// has announced a run yet; one that wraps ErrOtherRun, that the highest stake announced
// another than ours.
func (x *Exchange) FetchStart(ctx context.Context) (wire.StartWindow, directory.Peer, error) {
	failed := fmt.Errorf("start window: %w", store.ErrNotFound)
	for i, p := range x.Directory.Validators() {
		s, err := x.startOf(ctx, p)
		switch {
		case err == nil || i == 0 && errors.Is(err, ErrOtherRun):
			return s, p, err
		case errors.Is(err, ErrOtherRun): // a lower stake cannot keep us from our run
		case errors.Is(failed, store.ErrNotFound):
			failed = err
		}
	}
	return wire.StartWindow{}, directory.Peer{}, failed
}

func (x *Exchange) startOf(ctx context.Context, p directory.Peer) (wire.StartWindow, error) {
	ctx, cancel := x.withPatience(ctx)
	defer cancel()
	var s wire.StartWindow
	if err := x.document(ctx, p, protocol.StartWindowKey(), wire.DomainStartWindow, &s); err != nil {
		return s, fmt.Errorf("start window of %s: %w", p.Hotkey, err)
	}
	if s.Run != x.Hash {
		return s, fmt.Errorf("%w: theirs %s, ours %s; take the run parameters from the run's owner", ErrOtherRun, s.Run.Short(), x.Hash.Short())
	}
	return s, nil
}

// PostPeers publishes a peer list in the node's own bucket, once: others may have read it,
// and what they read must stand. An error that wraps store.ErrExists means that this run
// has a list from the same window on already.
func (x *Exchange) PostPeers(ctx context.Context, l wire.PeerList) error {
	b, err := wire.Seal(wire.DomainPeers, l, x.Signer)
	if err != nil {
		return err
	}
	key := protocol.PeersKey(l.EffectiveFrom)
	err = store.PutBytes(ctx, x.Own, key, b, store.PutOptions{IfAbsent: true})
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	if _, _, unread := store.ReadAll(ctx, x.Own, key, wire.MaxSealedSize); unread != nil {
		return fmt.Errorf("peer list that stands already: %w", unread)
	}
	me := directory.Peer{Neuron: chain.Neuron{UID: x.UID, Hotkey: x.Signer.Hotkey()}, Bucket: x.Own}
	if _, damaged := x.peersFrom(ctx, me, l.EffectiveFrom); damaged == nil {
		return err
	}
	return x.Put(ctx, key, b) // over another run's, or what is none
}

// peersFrom reads the list that p posted for a window.
func (x *Exchange) peersFrom(ctx context.Context, p directory.Peer, from protocol.Window) (wire.PeerList, error) {
	var l wire.PeerList
	if err := x.document(ctx, p, protocol.PeersKey(from), wire.DomainPeers, &l); err != nil {
		return l, fmt.Errorf("peer list from window %d of %s: %w", from, p.Hotkey, err)
	}
	if l.Run != x.Hash || l.EffectiveFrom != from || len(l.Peers) > x.Params.MaxTopKPeers {
		return l, fmt.Errorf("peer list from window %d of %s: it is another run's or another window's, or too long", from, p.Hotkey)
	}
	return l, nil
}

// document reads a sealed document that p must have signed.
func (x *Exchange) document(ctx context.Context, p directory.Peer, key, domain string, into any) error {
	b, _, err := store.ReadAll(ctx, p.Bucket, key, wire.MaxSealedSize)
	if err != nil {
		return err
	}
	by, err := wire.Open(domain, b, into)
	if err != nil {
		return err
	}
	if by != p.Hotkey {
		return fmt.Errorf("signed by %s, not by its owner", by)
	}
	return nil
}

// Selected returns the peers to gather w from: the lead validator's list; where it cannot be
// had, the last one that this node has read, until a successor should be in force; else the
// bootstrap list. An error beside the peers says why the lead validator's list could not be
// had, which must stop nobody. all asks for every candidate (--test); only restricts to
// given uids (--peers).
func (x *Exchange) Selected(ctx context.Context, w protocol.Window, all bool, only []protocol.UID) ([]directory.Peer, error) {
	candidates := x.Directory.Candidates()
	keep := func(uids []protocol.UID) []directory.Peer {
		return slices.DeleteFunc(slices.Clone(candidates), func(p directory.Peer) bool { return !slices.Contains(uids, p.UID) })
	}
	switch {
	case len(only) > 0:
		return keep(only), nil
	case all:
		return candidates, nil
	}
	list, err := x.FetchPeers(ctx, w)
	if err == nil {
		x.mu.Lock()
		x.mu.list = &list
		x.mu.Unlock()
		return keep(list.Peers), nil
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	x.mu.Lock()
	last := x.mu.list
	x.mu.Unlock()
	if last != nil && last.EffectiveFrom <= w && w < last.EffectiveFrom+protocol.Window(x.Params.PeerReplacementFrequency) {
		return keep(last.Peers), err
	}
	return x.Bootstrap(), err
}

// Bootstrap is the peer list while the lead validator has published none.
func (x *Exchange) Bootstrap() []directory.Peer {
	candidates := x.Directory.Candidates()
	uids := make([]protocol.UID, len(candidates))
	for i, p := range candidates {
		uids[i] = p.UID
	}
	uids = peers.Bootstrap(uids, x.Params)
	return slices.DeleteFunc(candidates, func(p directory.Peer) bool { return !slices.Contains(uids, p.UID) })
}
