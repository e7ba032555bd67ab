package peers

import (
	"cmp"
	"fmt"
	"slices"

	"templar/protocol"
)

// Initial selects the first list: the active miners with the highest incentive, up to
// max_topk_peers. Equal incentives, as those of newcomers, are drawn at random. Miners without incentive
// get unproven_peers places at most, if minimum_peers others have one. With
// fewer than minimum_peers active miners it returns an error that wraps ErrTooFew.
func Initial(candidates []Candidate, seed protocol.Hash, p *protocol.Params) (Selection, error) {
	pool := shuffled(paid(active(candidates), p), protocol.NewDraw("initial peers", seed))
	slices.SortStableFunc(pool, func(a, b Candidate) int { return cmp.Compare(b.Incentive, a.Incentive) })
	t := turnover{waiting: pool, stranger: func(c Candidate) bool { return c.Incentive == 0 }}
	t.bound(pool, p)
	t.fill(p.MaxTopKPeers)
	var s Selection
	s.Added = uids(t.joining)
	return s.finish(s.Added, p)
}

// Next selects the list that follows current, in this order: inactive peers leave and
// their places, with those that were free, are filled from the active
// miners outside, at random but those with weight first; peers without weight are replaced by others
// from outside; then peers_to_replace of the remaining peers are. Only inactive peers, and those excluded by
// unpaid_evaluations, leave without a successor, so a network where all miners fit keeps
// them all. Miners without weight join only while the list has fewer than unproven_peers of them, or fewer than
// minimum_peers miners have weight, and replace only each other: no number of strangers displaces miners that work.
// With
// fewer than minimum_peers it returns an error that wraps ErrTooFew.
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
	if p.UnprovenPeers < p.MaxTopKPeers { // without a bound the order is that of Templar v0.2.82
		slices.SortStableFunc(outside, func(a, b Candidate) int {
			return cmp.Or(-cmp.Compare(truth(a.proven()), truth(b.proven())), cmp.Compare(a.doubt(), b.doubt()))
		})
	}
	t := turnover{staying: inside, waiting: outside, stranger: func(c Candidate) bool { return !c.proven() }}
	t.bound(slices.Concat(inside, outside), p)
	t.fill(p.MaxTopKPeers)
	var s Selection
	s.Inactive = without(current, uids(all))
	s.ZeroWeight = without(current, append(s.Inactive, uids(t.staying)...))
	s.ZeroWeight = append(s.ZeroWeight, t.replace(slices.DeleteFunc(slices.Clone(t.staying), func(c Candidate) bool { return c.Paid }))...)
	s.Rotated = t.replace(slices.Clone(t.staying[:min(len(t.staying), p.PeersToReplace)]))
	s.Added = uids(t.joining)
	return s.finish(append(uids(t.staying), s.Added...), p)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// turnover is a list under construction: the miners that stay, those that join, and those
// outside in the order in which they will join.
type turnover struct {
	staying, joining, waiting []Candidate

	stranger func(Candidate) bool
	most     int  // strangers that the list may have when one joins
	open     bool // strangers may replace others than strangers
}

// bound sets the limit of strangers, which holds once enough of all miners are none.
func (t *turnover) bound(all []Candidate, p *protocol.Params) {
	t.most, t.open = p.UnprovenPeers, p.UnprovenPeers >= p.MaxTopKPeers
	if known := len(all) - t.strangers(all); known < max(1, p.MinimumPeers) {
		t.most = p.MaxTopKPeers
	}
}

func (t *turnover) strangers(list []Candidate) (n int) {
	for _, c := range list {
		n += truth(t.stranger(c))
	}
	return n
}

// admit lets the next miner in, and reports whether one was waiting and allowed.
func (t *turnover) admit() bool {
	if len(t.waiting) == 0 || (t.stranger(t.waiting[0]) && t.strangers(t.staying)+t.strangers(t.joining) >= t.most) {
		return false
	}
	t.joining = append(t.joining, t.waiting[0])
	t.waiting = t.waiting[1:]
	return true
}

func (t *turnover) fill(size int) {
	for len(t.staying)+len(t.joining) < size && t.admit() {
	}
}

// replace adds one miner for each that leaves, as long as there are any, and returns those that
// left. A stranger replaces strangers only.
func (t *turnover) replace(leaving []Candidate) (left []protocol.UID) {
	for _, c := range leaving {
		if len(t.waiting) > 0 && t.stranger(t.waiting[0]) && !t.stranger(c) && !t.open {
			continue
		}
		before := t.staying
		t.staying = slices.DeleteFunc(slices.Clone(before), func(o Candidate) bool { return o.UID == c.UID })
		if !t.admit() {
			t.staying = before
			break
		}
		left = append(left, c.UID)
	}
	return left
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

// active returns the active candidates ascending by uid, each once. An invalid upload ends activity until a
// valid one was seen.
func active(candidates []Candidate) []Candidate {
	out := slices.Clone(candidates)
	out = slices.DeleteFunc(out, func(c Candidate) bool { return !c.Active || c.Refused > 0 })
	slices.SortStableFunc(out, func(a, b Candidate) int { return cmp.Compare(a.UID, b.UID) })
	return slices.CompactFunc(out, func(a, b Candidate) bool { return a.UID == b.UID })
}

// paid leaves out miners without weight that are useless, or whose gradients have fitted their own pages worse than chance in
// unpaid_evaluations evaluations: where there is room for all, no other miner would replace them.
func paid(list []Candidate, p *protocol.Params) []Candidate {
	return slices.DeleteFunc(slices.Clone(list), func(c Candidate) bool {
		return p.UnpaidEvaluations > 0 && !c.Paid && (c.Useless || c.Evaluations >= p.UnpaidEvaluations && c.Refuted)
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
