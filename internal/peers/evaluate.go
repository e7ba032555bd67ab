package peers

import (
	"cmp"
	"slices"

	"templar/protocol"
)

// Waiting is a miner that may be evaluated, and the number of windows since its last draw.
type Waiting struct {
	UID     protocol.UID
	Windows uint64
}

// maxWait bounds a weight, so that the sum over all uids cannot overflow.
const maxWait = 1 << 40

// DrawEvaluations returns the miners to evaluate in w: n miners, or all when there are fewer,
// drawn without replacement with weights Windows + 1, ascending by uid. The longer a miner
// has waited, the likelier it is drawn. The draw is unknown until the seed's block exists.
func DrawEvaluations(miners []Waiting, n int, seed protocol.Hash, w protocol.Window) []protocol.UID {
	pool := slices.Clone(miners)
	slices.SortStableFunc(pool, func(a, b Waiting) int { return cmp.Compare(a.UID, b.UID) })
	pool = slices.CompactFunc(pool, func(a, b Waiting) bool { return a.UID == b.UID })
	draw := protocol.NewDraw("evaluations", seed, uint64(w))
	var out []protocol.UID
	for len(out) < n && len(pool) > 0 {
		i := pick(pool, draw)
		out = append(out, pool[i].UID)
		pool = slices.Delete(pool, i, i+1)
	}
	slices.Sort(out)
	return out
}

// pick draws an index with probability in proportion to the weights.
func pick(pool []Waiting, draw *protocol.Draw) int {
	var total uint64
	for _, m := range pool {
		total += m.weight()
	}
	ticket := draw.Below(total)
	for i, m := range pool {
		if ticket < m.weight() {
			return i
		}
		ticket -= m.weight()
	}
	return len(pool) - 1 // not reached: the ticket is below the total
}

func (m Waiting) weight() uint64 { return min(m.Windows, maxWait) + 1 }
