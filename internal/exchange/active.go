package exchange

import (
	"context"

	"templar/protocol"
)

// Active reports which peers stored a gradient in one of the recent_windows before
// current. A store that does not answer counts as active: silence of a store is not a
// miner's idleness, and its gradient gets a verdict of its own.
func (x *Exchange) Active(ctx context.Context, peers []Peer, current protocol.Window) map[protocol.UID]bool {
	ctx, cancel := x.withPatience(ctx)
	defer cancel()
	found := make([]bool, len(peers))
	x.Clock.Each(len(peers), gatherLimit, func(i int) { found[i] = x.isActive(ctx, peers[i], current) })
	out := make(map[protocol.UID]bool, len(peers))
	for i, p := range peers {
		out[p.UID] = found[i]
	}
	return out
}

func (x *Exchange) isActive(ctx context.Context, p Peer, current protocol.Window) bool {
	if p.Bucket == nil {
		return false
	}
	for back := range min(protocol.Window(x.Params.RecentWindows), current) {
		_, err := p.Bucket.Head(ctx, protocol.GradientKey(current-1-back, p.UID))
		switch verdictOf(err) {
		case protocol.VerdictOK, protocol.VerdictUnreachable:
			return true
		}
	}
	return false
}
