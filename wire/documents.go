package wire

import (
	"errors"
	"slices"

	"templar/protocol"
)

// StartWindow is the lead validator's announcement of a run, under
// DomainStartWindow.
type StartWindow struct {
	Run         protocol.Hash   `json:"run"` // of the run parameters
	StartWindow protocol.Window `json:"start_window"`
	StateHash   protocol.Hash   `json:"state_hash"` // of theta_0
}

// PeerList is the set of peers whose gradients are gathered from a window on, under
// DomainPeers.
type PeerList struct {
	Run           protocol.Hash   `json:"run"`
	EffectiveFrom protocol.Window `json:"effective_from"`
	Peers         []protocol.UID  `json:"peers"`             // ascending
	Reserve       []protocol.UID  `json:"reserve,omitempty"` // in order of preference
}

// Validate checks that peers ascend and that no uid appears twice.
func (l *PeerList) Validate() error {
	seen := map[protocol.UID]bool{}
	if !slices.IsSorted(l.Peers) {
		return errors.New("peer list: uids do not ascend")
	}
	for _, uid := range slices.Concat(l.Peers, l.Reserve) {
		if seen[uid] {
			return errors.New("peer list: a uid appears twice")
		}
		seen[uid] = true
	}
	return nil
}
