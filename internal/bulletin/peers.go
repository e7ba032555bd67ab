package bulletin

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

// PostPeers publishes a peer list in the node's own bucket. A list is never replaced, since others
// may have read it: an error that wraps store.ErrExists means that this run already has a list from
// the same window on.
func (b *Board) PostPeers(ctx context.Context, l wire.PeerList) error {
	raw, err := wire.Seal(wire.DomainPeers, l, b.Signer)
	if err != nil {
		return err
	}
	key := protocol.PeersKey(l.EffectiveFrom)
	err = store.PutBytes(ctx, b.Own, key, raw, store.PutOptions{IfAbsent: true})
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	if _, _, unread := store.ReadAll(ctx, b.Own, key, wire.MaxSealedSize); unread != nil {
		return fmt.Errorf("existing peer list: %w", unread)
	}
	me := directory.Peer{Neuron: chain.Neuron{Hotkey: b.Signer.Hotkey()}, Bucket: b.Own}
	if _, damaged := b.peersFrom(ctx, me, l.EffectiveFrom); damaged == nil {
		return err
	}
	return b.put(ctx, key, raw) // replaces another run's list, or an object that is not a list
}

// peersFrom reads the list that p posted for a window.
func (b *Board) peersFrom(ctx context.Context, p directory.Peer, from protocol.Window) (wire.PeerList, error) {
	var l wire.PeerList
	if err := document(ctx, p, protocol.PeersKey(from), wire.DomainPeers, &l); err != nil {
		return l, fmt.Errorf("peer list from window %d of %s: %w", from, p.Hotkey, err)
	}
	if l.Run != b.Run.Hash || l.EffectiveFrom != from || len(l.Peers) > b.Run.Params.MaxTopKPeers {
		return l, fmt.Errorf("peer list from window %d of %s: it is another run's or another window's, or too long", from, p.Hotkey)
	}
	return l, nil
}

// document reads a sealed document that p must have signed.
func document(ctx context.Context, p directory.Peer, key, domain string, into any) error {
	raw, _, err := store.ReadAll(ctx, p.Bucket, key, wire.MaxSealedSize)
	if err != nil {
		return err
	}
	by, err := wire.Open(domain, raw, into)
	if err != nil {
		return err
	}
	if by != p.Hotkey {
		return fmt.Errorf("signed by %s, not by its owner", by)
	}
	return nil
}

// Lineup is who takes part in a window.
type Lineup struct {
	All      []directory.Peer // every miner with a readable bucket, ascending by uid
	Peers    []directory.Peer // the selected, ascending
	Reserves []directory.Peer // in order of preference: the first take the places of peers that are not in
}

// Lineup returns who takes part in w: the lead validator's list; if it is unavailable,
// the last one that this node has read, until a successor should be in force; otherwise the
// bootstrap list. An error beside the peers states why the lead validator's list is unavailable;
// the peers are valid all the same. all selects every candidate (--test); only restricts to the
// given uids (--peers).
func (b *Board) Lineup(ctx context.Context, w protocol.Window, all bool, only []protocol.UID) (Lineup, error) {
	l := Lineup{All: b.Directory.Candidates()}
	keep := func(uids []protocol.UID) []directory.Peer {
		return slices.DeleteFunc(slices.Clone(l.All), func(p directory.Peer) bool { return !slices.Contains(uids, p.UID) })
	}
	of := func(list *wire.PeerList) Lineup {
		l.Peers = keep(list.Peers)
		for _, uid := range list.Reserve {
			l.Reserves = append(l.Reserves, keep([]protocol.UID{uid})...)
		}
		return l
	}
	switch {
	case len(only) > 0:
		l.Peers = keep(only)
		return l, nil
	case all:
		l.Peers = l.All
		return l, nil
	}
	list, err := b.FetchPeers(ctx, w)
	if err == nil {
		b.mu.Lock()
		b.mu.list = &list
		b.mu.Unlock()
		return of(&list), nil
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	b.mu.Lock()
	last := b.mu.list
	b.mu.Unlock()
	if last != nil && last.EffectiveFrom <= w && w < last.EffectiveFrom+protocol.Window(b.Run.Params.PeerReplacementFrequency) {
		return of(last), err
	}
	l.Peers = b.Bootstrap()
	return l, err
}

// Bootstrap is the peer list while the lead validator has published none.
func (b *Board) Bootstrap() []directory.Peer {
	candidates := b.Directory.Candidates()
	uids := make([]protocol.UID, len(candidates))
	for i, p := range candidates {
		uids[i] = p.UID
	}
	uids = peers.Bootstrap(uids, b.Run.Params)
	return slices.DeleteFunc(candidates, func(p directory.Peer) bool { return !slices.Contains(uids, p.UID) })
}
