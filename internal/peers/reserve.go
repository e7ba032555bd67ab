package peers

import (
	"cmp"
	"slices"

	"templar/protocol"
)

// Reserves returns the miners that take the places of peers whose gradients are not in, in order of preference: of those
// that are active, have proven their work and are not in the list, the best paid by the chain, up to reserve_peers.
func Reserves(list []protocol.UID, candidates []Candidate, p *protocol.Params) []protocol.UID {
	pool := slices.DeleteFunc(active(candidates), func(c Candidate) bool {
		return !c.proven() || slices.Contains(list, c.UID)
	})
	slices.SortFunc(pool, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Incentive, a.Incentive), cmp.Compare(a.UID, b.UID))
	})
	var out []protocol.UID
	for _, c := range pool[:min(len(pool), p.ReservePeers)] {
		out = append(out, c.UID)
	}
	return out
}
