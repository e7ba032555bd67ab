package mailbox

import (
	"cmp"
	"context"
	"slices"
	"time"

	"templar/internal/directory"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Closed is a window's closing statement as a bucket has it.
type Closed struct {
	*wire.Closing
	Hash protocol.Hash
	Raw  []byte
	At   time.Time // LastModified
}

// Listed returns what a closing statement lists of payloads: those that are in, ascending by uid.
func Listed(payloads []Payload) []wire.Included {
	var all []wire.Included
	for _, p := range payloads {
		if p.Verdict.OK() {
			all = append(all, wire.Included{UID: p.Peer.UID, Hotkey: p.Peer.Hotkey, Content: p.Content})
		}
	}
	slices.SortFunc(all, func(a, b wire.Included) int { return cmp.Compare(a.UID, b.UID) })
	return all
}

// Closing requests the closing statement of w until it exists or ctx ends; then the verdict is
// VerdictMissing or VerdictUnreachable.
func (a Aggregates) Closing(ctx context.Context, w protocol.Window) (*Closed, protocol.Verdict) {
	began := a.Schedule.Clock.Now()
	for {
		c, verdict := a.ClosingNow(ctx, w)
		if verdict.OK() || verdict.Final() || a.Schedule.Clock.Sleep(ctx, a.Schedule.Pause(a.Schedule.Clock.Now().Sub(began))) != nil {
			return c, verdict
		}
	}
}

// ClosingNow is Closing with one request.
func (a Aggregates) ClosingNow(ctx context.Context, w protocol.Window) (*Closed, protocol.Verdict) {
	return a.closingIn(ctx, a.Bucket, w)
}

// closingIn reads the closing statement of w in a bucket.
func (a Aggregates) closingIn(ctx context.Context, b store.Reader, w protocol.Window) (*Closed, protocol.Verdict) {
	raw, info, err := store.ReadAll(ctx, b, protocol.ClosingKey(w), wire.MaxClosingSize(maxPeers))
	if err != nil {
		return nil, store.VerdictOf(err)
	}
	c, hash, verdict := a.Run.Closing(raw, w)
	if !verdict.OK() {
		return nil, verdict
	}
	return &Closed{c, hash, raw, info.LastModified}, verdict
}

// StatementKept returns the closing statement of w that has a content hash, from the buckets of miners, which keep the
// one against which they revealed their keys; nil for none. Its date is the earliest. The aggregator bucket may have
// another one by now: all aggregators can write there.
func (a Aggregates) StatementKept(ctx context.Context, w protocol.Window, miners []directory.Peer, content protocol.Hash) *Closed {
	const atOnce = 32
	kept := make([]*Closed, len(miners))
	a.Schedule.Clock.Each(len(miners), atOnce, func(i int) {
		if miners[i].Bucket == nil {
			return
		}
		look, cancel := a.Schedule.WithPatience(ctx)
		defer cancel()
		kept[i], _ = a.closingIn(look, miners[i].Bucket, w)
	})
	var first *Closed
	for _, c := range kept {
		if c != nil && c.Hash == content && (first == nil || c.At.Before(first.At)) {
			first = c
		}
	}
	return first
}

// Reserves returns the reserves that take part in a window: of r places of selected peers that the closing statement
// does not list, the first r reserves that it does list.
func Reserves(c *wire.Closing, selected, reserves []directory.Peer) []directory.Peer {
	listed := func(p directory.Peer) bool {
		_, is := c.Of(p.UID, p.Hotkey)
		return is
	}
	free := 0
	for _, p := range selected {
		if !listed(p) {
			free++
		}
	}
	var in []directory.Peer
	for _, p := range reserves {
		if len(in) == free {
			break
		}
		if listed(p) {
			in = append(in, p)
		}
	}
	return in
}
