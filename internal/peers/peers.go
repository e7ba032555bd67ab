package peers

import (
	"errors"
	"slices"

	"templar/protocol"
)

// ErrTooFew is wrapped when fewer than minimum_peers miners can be selected. The list
// in force then stays in force, or Bootstrap's if there was none.
var ErrTooFew = errors.New("too few active miners for a peer list")

// Candidate is a registered miner as the lead validator sees it.
type Candidate struct {
	UID       protocol.UID
	Active    bool   // uploaded within the recent windows
	Incentive uint16 // from the chain
	// Evaluations is how often the validator has evaluated it.
	Evaluations uint64
	Standing
}

// Selection is a peer list with the changes that led to it. All uids ascend.
type Selection struct {
	UIDs       []protocol.UID `json:"uids"`
	Added      []protocol.UID `json:"added"`
	Inactive   []protocol.UID `json:"dropped_inactive"`
	ZeroWeight []protocol.UID `json:"dropped_zero_weight"`
	Rotated    []protocol.UID `json:"rotated_out"`
}

// Due reports whether a list is to be selected in w: in the run's first window and
// every peer_replacement_frequency windows after it.
func Due(start, w protocol.Window, p *protocol.Params) bool {
	return w >= start && uint64(w-start)%p.PeerReplacementFrequency == 0
}

// EffectiveFrom returns the first window in which a list selected in w is in force.
// The margin lets every node fetch the list before it counts.
func EffectiveFrom(w protocol.Window, p *protocol.Params) protocol.Window {
	return w + protocol.Window(p.PeerListWindowMargin)
}

// Bootstrap is the list until the first one is in force: all miners that committed a
// bucket, ascending, capped at max_topk_peers. Every node computes it.
func Bootstrap(committed []protocol.UID, p *protocol.Params) []protocol.UID {
	uids := slices.Compact(slices.Sorted(slices.Values(committed)))
	return uids[:min(len(uids), p.MaxTopKPeers)]
}
