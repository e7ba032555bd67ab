package bulletin

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"templar/internal/directory"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// FetchPeers returns the peer list that is in force at w: of the validators, highest stake
// first, the first whose list is fresh. Where none has a fresh one it is the highest
// stake's. An error that wraps store.ErrNotFound means that no validator has posted a list.
func (b *Board) FetchPeers(ctx context.Context, w protocol.Window) (wire.PeerList, error) {
	var stale *wire.PeerList
	failed := fmt.Errorf("peer list: %w", store.ErrNotFound)
	for i, p := range b.Directory.Validators() {
		l, err := b.peersOf(ctx, p, w)
		switch {
		case err == nil && fresh(b.Run.Params, l, w):
			return l, nil
		case err == nil && stale == nil:
			stale = &l
		case i == 0: // an error at a lower stake does not decide whether there is a list
			failed = err
		}
	}
	if stale != nil {
		return *stale, nil
	}
	return wire.PeerList{}, failed
}

// fresh reports whether a list is recent enough at w to show that its validator still leads: one
// list may be skipped, for lack of miners or of time.
func fresh(p *protocol.Params, l wire.PeerList, w protocol.Window) bool {
	return w < l.EffectiveFrom+2*protocol.Window(p.PeerReplacementFrequency)
}

// Leads reports whether this node selects the peers for window w of the run that began at
// start: it has the highest stake of the validators that still do. Those above it have had
// the time for a list, and none of theirs is fresh.
func (b *Board) Leads(ctx context.Context, start, w protocol.Window) bool {
	for _, p := range b.Directory.Validators() {
		if p.Hotkey == b.Signer.Hotkey() {
			return true
		}
		l, err := b.peersOf(ctx, p, w)
		if err != nil {
			l.EffectiveFrom = start // as if it had posted one then
		}
		if fresh(b.Run.Params, l, w) {
			return false
		}
	}
	return false
}

// peersOf returns p's list that is in force at w: the newest, or the one before where that
// one cannot be read.
func (b *Board) peersOf(ctx context.Context, p directory.Peer, w protocol.Window) (wire.PeerList, error) {
	ctx, cancel := b.Schedule.WithPatience(ctx)
	defer cancel()
	var begun []protocol.Window
	err := store.EachKey(ctx, p.Bucket, protocol.PeersPrefix, func(_ string, k protocol.Key) {
		if k.Window <= w {
			begun = append(begun, k.Window)
		}
	})
	if err == nil && len(begun) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return wire.PeerList{}, fmt.Errorf("peer lists of %s: %w", p.Hotkey, err)
	}
	slices.SortFunc(begun, func(a, b protocol.Window) int { return cmp.Compare(b, a) })
	for i, from := range begun[:min(len(begun), 2)] {
		l, e := b.peersFrom(ctx, p, from)
		if e == nil {
			return l, nil
		}
		if i == 0 {
			err = e
		}
	}
	return wire.PeerList{}, err
}
