package cometbft

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"templar/protocol"
)

// Status is the health of a node.
type Status struct {
	ChainID     string        `json:"chain_id"`
	Genesis     protocol.Hash `json:"genesis"` // see GenesisHash
	Node        string        `json:"node"`
	Key         string        `json:"key"`       // that makes blocks, if Authority
	Authority   bool          `json:"authority"` // the genesis names the key
	Authorities int           `json:"authorities"`
	Peers       int           `json:"peers"`
	Height      int64         `json:"height"`
	Time        time.Time     `json:"time"` // of the newest block
	CatchingUp  bool          `json:"catching_up"`
	Stalled     bool          `json:"stalled"` // no block for StalledFor
	StalledFor  time.Duration `json:"stalled_for_ns"`
}

// Fault is why the node's answers are not to be relied on.
func (s *Status) Fault() error {
	switch {
	case s.Stalled:
		return fmt.Errorf("no block for %v: height %d, %d peers of %d authorities", s.StalledFor.Round(time.Second), s.Height, s.Peers, s.Authorities)
	case s.CatchingUp:
		return errors.New("the node is catching up")
	}
	return nil
}

// stallAfter is how long blocks may stay away. Two rounds that fail are no stall.
func (n *Node) stallAfter() time.Duration {
	return max(10*n.config.BlockInterval, 10*time.Second)
}

func (n *Node) status() *Status {
	n.mu.Lock()
	env, a, since := n.mu.env, n.mu.app, n.mu.lastBlock
	n.mu.Unlock()
	newest := a.view.Load()
	height := newest.height
	s := &Status{ChainID: env.GenDoc.ChainID, Node: n.id, Height: height, Peers: env.P2PPeers.Peers().Size()}
	s.Authorities = len(env.GenDoc.Validators)
	s.Genesis, _ = GenesisHash(env.GenDoc)
	s.Key = hex.EncodeToString(env.PubKey.Bytes())
	for _, v := range env.GenDoc.Validators {
		s.Authority = s.Authority || v.PubKey.Equals(env.PubKey)
	}
	s.CatchingUp = env.ConsensusReactor.WaitSync()
	if height > 0 {
		s.Time = newest.time
	}
	if away := time.Since(since); away > n.stallAfter() {
		s.Stalled, s.StalledFor = true, away
	}
	return s
}

// watch notes each block, and says so when none comes and when they come again.
func (n *Node) watch(ctx context.Context, a *app) {
	timer := time.NewTimer(n.stallAfter())
	defer timer.Stop()
	stalled := false
	for {
		select {
		case <-a.view.Load().next:
			n.mu.Lock()
			n.mu.lastBlock = time.Now()
			n.mu.Unlock()
			if stalled {
				n.config.Logger.Info("chain goes on")
			}
			stalled = false
			timer.Reset(n.stallAfter())
		case <-timer.C:
			stalled = true
			n.config.Logger.Warn("chain stands still", "why", n.status().Fault())
			timer.Reset(6 * n.stallAfter())
		case <-ctx.Done():
			return
		}
	}
}
