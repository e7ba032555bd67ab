package manual

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

// Sent is a call on its way into a block.
type Sent struct {
	chain   *Chain
	pending *pending
	refused *chain.Receipt
}

// Send puts any call of the ledger into the next block and returns without waiting.
// It returns nil while a call of the same hotkey waits for a block.
func (c *Chain) Send(s protocol.Signer, call ledger.Call) (*Sent, error) {
	p, _, err := c.enqueue(s, call)
	var refusal *ledger.Refusal
	if errors.As(err, &refusal) {
		return &Sent{refused: &chain.Receipt{Status: chain.StatusFailed, Reason: refusal.Reason}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("send %T: %w", call, err)
	}
	if p == nil {
		return nil, nil
	}
	return &Sent{chain: c, pending: p}, nil
}

// Receipt returns the outcome of the call, once. ok is false before a block includes it;
// again says that the block had no room, and that the call must be sent anew.
func (t *Sent) Receipt() (r chain.Receipt, again, ok bool) {
	if t.refused != nil {
		return *t.refused, false, true
	}
	select {
	case o := <-t.pending.done:
		return o.receipt(), o.Code == ledger.CodeBusy, true
	default:
		return chain.Receipt{}, false, false
	}
}

// Withdraw takes the call back if no block has included it.
func (t *Sent) Withdraw() {
	if t.refused != nil {
		return
	}
	c := t.chain
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.pool = slices.DeleteFunc(c.mu.pool, func(q *pending) bool { return q == t.pending })
}

// Reorganise replaces the last depth blocks, but never the genesis, by others of the same
// times with the same calls: their hashes change, and with them all that is drawn from
// them. A chain that is final does not do this; a node that trusts an unfinished head
// meets it.
func (c *Chain) Reorganise(depth int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	blocks := slices.Clone(c.mu.blocks) // callers keep the blocks that they read
	for i := max(1, len(blocks)-depth); i < len(blocks); i++ {
		blocks[i].Parent = blocks[i-1].Hash
		blocks[i].Hash = sha256.Sum256(append([]byte("templar manual fork\x00"), blocks[i].Hash[:]...))
	}
	c.mu.blocks = blocks
}
