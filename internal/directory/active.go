package directory

import (
	"context"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/protocol"
)

// looksAtOnce bounds the number of other nodes' buckets that are checked at once.
const looksAtOnce = 32

// look is the result of one check of a miner's bucket.
type look struct {
	verdict protocol.Verdict // OK: it has a gradient of window seen
	seen    protocol.Window
}

// lookAll looks for the peers' newest gradients of the recent_windows before current, a
// batch at a time. Each batch gets its share of the time, so that stores that hang do not delay
// later batches.
func (t *Tracker) lookAll(ctx context.Context, peers []Peer, current protocol.Window) []look {
	batches := time.Duration(len(peers)+looksAtOnce-1) / looksAtOnce
	found := make([]look, len(peers))
	t.clock.Each(len(peers), looksAtOnce, func(i int) {
		ctx, cancel := clock.WithTimeout(ctx, t.clock, t.directory.params.Gather()/batches)
		defer cancel()
		found[i] = t.look(ctx, peers[i], current)
	})
	return found
}

// look asks for the newest window first, so that a busy miner costs one request.
func (t *Tracker) look(ctx context.Context, p Peer, current protocol.Window) look {
	if p.Bucket == nil {
		return look{verdict: protocol.VerdictNoBucket}
	}
	for back := range min(protocol.Window(t.directory.params.RecentWindows), current) {
		w := current - 1 - back
		_, err := p.Bucket.Head(ctx, protocol.GradientKey(w, p.UID))
		if v := store.VerdictOf(err); v != protocol.VerdictMissing {
			return look{v, w}
		}
	}
	return look{verdict: protocol.VerdictMissing}
}
