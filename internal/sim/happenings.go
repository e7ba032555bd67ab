package sim

import (
	"fmt"
	"time"

	"templar/internal/chain/ledger"
	"templar/internal/harness"
	"templar/internal/store"
)

// panicked takes note of a role that panicked: its process has ended.
func (n *Network) panicked(p *process, err error) {
	for _, node := range n.nodes {
		if node.process == p {
			if n.watch == nil {
				n.fail(fmt.Errorf("%s: %w", node.Name, err))
				return
			}
			n.watch.broken(n.window, Robust, node, "%v", err)
			node.crash("panics")
		}
	}
}

// reorganise replaces the last blocks.
func (n *Network) reorganise(depth int) {
	head, err := n.blocks.chain.Head(n.ctx)
	if err != nil {
		n.fail(err)
		return
	}
	for i := range min(uint64(depth), head.Number) {
		n.replaced[head.Number-i] = true
	}
	n.blocks.chain.Reorganise(depth)
}

// promote gives a validator more stake than all the others have.
func (n *Network) promote(name string) {
	for _, node := range n.nodes {
		if node.Name == name {
			amount := uint64(harness.Stake * n.config.Validators * (1 + n.window))
			if _, err := n.blocks.chain.Send(n.owner, ledger.Stake{Hotkey: node.signer.Hotkey(), Amount: amount}); err != nil {
				n.fail(err)
			}
		}
	}
}

// rollBack makes a node's bucket forget what was stored since the last window began.
func (n *Network) rollBack(node string) {
	b, err := n.store.Dial(location(bucketOf(node), true))
	before := n.s.time().Add(-n.run.Params.WindowTime()).Truncate(time.Second)
	var all []store.Info
	if err == nil {
		all, err = b.List(n.ctx, "", "", 1<<20)
	}
	for _, o := range all {
		if err == nil && o.LastModified.After(before) {
			err = b.Delete(n.ctx, o.Key)
		}
	}
	if err != nil {
		n.fail(fmt.Errorf("roll back: %w", err))
	}
}

// fail ends the simulation by a fault of its own.
func (n *Network) fail(err error) {
	if n.err == nil {
		n.err = err
	}
}
