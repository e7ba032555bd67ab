package exchange

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
// stake's. An error that wraps store.ErrNotFound means that nobody has posted a list.
func (x *Exchange) FetchPeers(ctx context.Context, w protocol.Window) (wire.PeerList, error) {
	var stale *wire.PeerList
	failed := fmt.Errorf("peer list: %w", store.ErrNotFound)
	for i, p := range x.Directory.Validators() {
		l, err := x.peersOf(ctx, p, w)
		switch {
		case err == nil && x.fresh(l, w):
			return l, nil
		case err == nil && stale == nil:
			stale = &l
		case i == 0: // a lower stake's fault says nothing of whether there is a list
			failed = err
		}
	}
	if stale != nil {
		return *stale, nil
	}
	return wire.PeerList{}, failed
}

// fresh reports whether at w a list is young enough to stand for a validator that leads:
// one list may be left out, for want of miners or of time.
func (x *Exchange) fresh(l wire.PeerList, w protocol.Window) bool {
	return w < l.EffectiveFrom+2*protocol.Window(x.Params.PeerReplacementFrequency)
}

// Leads reports whether this node selects the peers for window w of the run that began at
// start: it has the highest stake of the validators that still do. Those above it have had
// the time for a list, and none of theirs is fresh.
func (x *Exchange) Leads(ctx context.Context, start, w protocol.Window) bool {
	for _, p := range x.Directory.Validators() {
		if p.Hotkey == x.Signer.Hotkey() {
			return true
		}
		l, err := x.peersOf(ctx, p, w)
		if err != nil {
			l.EffectiveFrom = start // as if it had posted one then
		}
		if x.fresh(l, w) {
			return false
		}
	}
	return false
}

// peersOf returns p's list that is in force at w: the newest, or the one before where that
// one cannot be read.
func (x *Exchange) peersOf(ctx context.Context, p directory.Peer, w protocol.Window) (wire.PeerList, error) {
	ctx, cancel := x.withPatience(ctx)
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
		l, e := x.peersFrom(ctx, p, from)
		if e == nil {
			return l, nil
		}
		if i == 0 {
			err = e
		}
	}
	return wire.PeerList{}, err
}
