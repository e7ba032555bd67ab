package peers

import (
	"cmp"
	"fmt"
	"slices"

	"templar/protocol"
)

// Initial selects the first list: the active miners with the highest incentive, up to
// max_topk_peers. Equal incentives, as those of newcomers, are drawn at random. With
// fewer than minimum_peers active miners it returns an error that wraps ErrTooFew.
func Initial(candidates []Candidate, seed protocol.Hash, p *protocol.Params) (Selection, error) {
	pool := shuffled(paid(active(candidates), p), protocol.NewDraw("initial peers", seed))
	slices.SortStableFunc(pool, func(a, b Candidate) int { return cmp.Compare(b.Incentive, a.Incentive) })
	var s Selection
	s.Added = uids(pool[:min(len(pool), p.MaxTopKPeers)])
	return s.finish(s.Added, p)
}

// Next selects the list that follows current, in this order: inactive peers leave and
// their places, with those that were free, are filled at random from the active
// miners outside; peers without weight are replaced by others from outside; then
// peers_to_replace of the remaining peers are. Only inactive peers, and those excluded by
// unpaid_evaluations, leave without a successor, so a network where all miners fit keeps
// them all. With fewer than minimum_peers it returns an error that wraps ErrTooFew.
func Next(current []protocol.UID, candidates []Candidate, seed protocol.Hash, p *protocol.Params) (Selection, error) {
	draw := protocol.NewDraw("next peers", seed)
	var inside, outside []Candidate
	all := active(candidates)
	for _, c := range paid(all, p) {
		if slices.Contains(current, c.UID) {
			inside = append(inside, c)
		} else {
			outside = append(outside, c)
		}
	}
	inside, outside = shuffled(inside, draw), shuffled(outside, draw)
	t := turnover{staying: uids(inside), waiting: uids(outside)}
	t.fill(p.MaxTopKPeers)
	var s Selection
	s.Inactive = without(current, uids(all))
	s.ZeroWeight = without(current, append(s.Inactive, t.staying...))
	s.ZeroWeight = append(s.ZeroWeight, t.replace(uids(slices.DeleteFunc(inside, func(c Candidate) bool { return c.Weight > 0 })))...)
	s.Rotated = t.replace(slices.Clone(t.staying[:min(len(t.staying), p.PeersToReplace)]))
	s.Added = t.joining
	return s.finish(append(t.staying, t.joining...), p)
}

// turnover is a list under construction: the miners that stay, those that join, and those
// outside in the order in which they will join.
type turnover struct{ staying, joining, waiting []protocol.UID }

func (t *turnover) admit(n int) {
	t.joining = append(t.joining, t.waiting[:n]...)
	t.waiting = t.waiting[n:]
}

func (t *turnover) fill(size int) {
	t.admit(min(len(t.waiting), max(0, size-len(t.staying))))
}

// replace adds one miner for each that leaves, as long as there are any, and returns those that
// left.
func (t *turnover) replace(leaving []protocol.UID) []protocol.UID {
	leaving = leaving[:min(len(leaving), len(t.waiting))]
	t.staying = without(t.staying, leaving)
	t.admit(len(leaving))
	return leaving
}

func (s Selection) finish(list []protocol.UID, p *protocol.Params) (Selection, error) {
	if len(list) == 0 || len(list) < p.MinimumPeers {
		return Selection{}, fmt.Errorf("%w: %d, at least %d wanted", ErrTooFew, len(list), max(p.MinimumPeers, 1))
	}
	s.UIDs = list
	for _, part := range []*[]protocol.UID{&s.UIDs, &s.Added, &s.Inactive, &s.ZeroWeight, &s.Rotated} {
		*part = slices.Sorted(slices.Values(*part))
	}
	return s, nil
}

// active returns the active candidates ascending by uid, each once.
func active(candidates []Candidate) []Candidate {
	out := slices.Clone(candidates)
	out = slices.DeleteFunc(out, func(c Candidate) bool { return !c.Active })
	slices.SortStableFunc(out, func(a, b Candidate) int { return cmp.Compare(a.UID, b.UID) })
	return slices.CompactFunc(out, func(a, b Candidate) bool { return a.UID == b.UID })
}

// paid leaves out miners without weight after unpaid_evaluations evaluations: where there is room
// for all, no other miner would replace them.
func paid(list []Candidate, p *protocol.Params) []Candidate {
	return slices.DeleteFunc(slices.Clone(list), func(c Candidate) bool {
		return p.UnpaidEvaluations > 0 && c.Evaluations >= p.UnpaidEvaluations && !(c.Weight > 0)
	})
}

func shuffled(list []Candidate, d *protocol.Draw) []Candidate {
	out := make([]Candidate, 0, len(list))
	for _, i := range d.Distinct(uint64(len(list)), len(list)) {
		out = append(out, list[i])
	}
	return out
}

func uids(list []Candidate) []protocol.UID {
	out := make([]protocol.UID, 0, len(list))
	for _, c := range list {
		out = append(out, c.UID)
	}
	return out
}

// without returns the members of list that are not in gone.
func without(list, gone []protocol.UID) []protocol.UID {
	return slices.DeleteFunc(slices.Clone(list), func(u protocol.UID) bool { return slices.Contains(gone, u) })
}
