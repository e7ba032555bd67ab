// Package manual drives the ledger by hand: blocks exist in memory, and only Advance
// makes one. It serves unit tests and the simulator. Two runs with the same genesis,
// the same times and the same calls before each block have the same blocks, whatever
// the order in which the calls of one block came.
package manual

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

// Chain is an in-memory chain.Chain for any number of nodes of one process.
type Chain struct {
	mu struct {
		sync.Mutex
		ledger  *ledger.Ledger
		blocks  []chain.Block
		pool    []*pending
		advance chan struct{} // closed and replaced by each block
	}
}

var _ chain.Chain = (*Chain)(nil)

// pending is a transaction that waits for the next block. A hotkey has at most one.
type pending struct {
	hotkey protocol.Hotkey
	tx     []byte
	done   chan outcome // buffered
}

// outcome is a transaction's result, and the block that included it.
type outcome struct {
	ledger.Result
	block uint64
}

// New returns the chain at block 0. The genesis may leave its time to now.
func New(g ledger.Genesis, now time.Time) (*Chain, error) {
	if g.Time.IsZero() {
		g.Time = now
	}
	l, err := ledger.New(g)
	if err != nil {
		return nil, err
	}
	hash, err := g.Hash()
	if err != nil {
		return nil, err
	}
	c := &Chain{}
	c.mu.ledger = l
	c.mu.blocks = []chain.Block{{Hash: hash, Time: g.Time}}
	c.mu.advance = make(chan struct{})
	return c, nil
}

// Advance makes a block at a time that is not before the last one's. It includes all
// that was submitted, ascending by hotkey.
func (c *Chain) Advance(at time.Time) (chain.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.head()
	if at.Before(last.Time) {
		return chain.Block{}, fmt.Errorf("advance: %v is before block %d at %v", at, last.Number, last.Time)
	}
	pool := c.mu.pool
	c.mu.pool = nil
	slices.SortFunc(pool, func(a, b *pending) int { return bytes.Compare(a.hotkey[:], b.hotkey[:]) })
	txs := make([][]byte, len(pool))
	for i, p := range pool {
		txs[i] = p.tx
	}
	b := chain.Block{Number: last.Number + 1, Parent: last.Hash, Time: at}
	results, err := c.mu.ledger.Apply(b.Number, at, txs)
	if err != nil {
		return chain.Block{}, fmt.Errorf("advance: %w", err)
	}
	b.Hash = blockHash(b, c.mu.ledger.Root())
	c.mu.blocks = append(c.mu.blocks, b)
	for i, p := range pool {
		p.done <- outcome{results[i], b.Number}
	}
	close(c.mu.advance)
	c.mu.advance = make(chan struct{})
	return b, nil
}

// blockHash leaves the transactions out: their signatures are randomised. What they
// did stands in the root.
func blockHash(b chain.Block, root protocol.Hash) protocol.Hash {
	m := append([]byte("templar manual block\x00"), b.Parent[:]...)
	m = binary.BigEndian.AppendUint64(m, b.Number)
	m = binary.BigEndian.AppendUint64(m, uint64(b.Time.UnixNano()))
	return sha256.Sum256(append(m, root[:]...))
}

func (o outcome) receipt() chain.Receipt {
	if o.Code != ledger.CodeOK {
		return chain.Receipt{Status: chain.StatusFailed, Block: o.block, Reason: o.Reason}
	}
	return chain.Receipt{Status: chain.StatusIncluded, Block: o.block, EffectiveAt: o.block}
}

// head needs the lock.
func (c *Chain) head() chain.Block { return c.mu.blocks[len(c.mu.blocks)-1] }

// Head returns the newest block.
func (c *Chain) Head(ctx context.Context) (chain.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head(), ctx.Err()
}

// Block returns a block; number 0 is the genesis.
func (c *Chain) Block(ctx context.Context, number uint64) (chain.Block, error) {
	b, _, err := c.block(number)
	return b, errors.Join(err, ctx.Err())
}

// block returns, for a future block, the channel that the next Advance closes.
func (c *Chain) block(number uint64) (chain.Block, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number >= uint64(len(c.mu.blocks)) {
		return chain.Block{}, c.mu.advance, fmt.Errorf("block %d: %w, the head is %d", number, chain.ErrFuture, c.head().Number)
	}
	return c.mu.blocks[number], nil, nil
}

// Wait returns block number once Advance has made it.
func (c *Chain) Wait(ctx context.Context, number uint64) (chain.Block, error) {
	for {
		b, advance, err := c.block(number)
		if err == nil {
			return b, ctx.Err()
		}
		select {
		case <-advance:
		case <-ctx.Done():
			return chain.Block{}, fmt.Errorf("wait for block %d: %w", number, ctx.Err())
		}
	}
}

// Metagraph returns the neurons after the newest block.
func (c *Chain) Metagraph(ctx context.Context) (chain.Metagraph, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.ledger.Metagraph(), ctx.Err()
}

// Commitments returns all neurons' commitments after the newest block.
func (c *Chain) Commitments(ctx context.Context) ([]chain.Commitment, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.ledger.Commitments(), ctx.Err()
}

// Randomness returns the hash of a block.
func (c *Chain) Randomness(ctx context.Context, block uint64) (protocol.Hash, error) {
	b, err := c.Wait(ctx, block)
	return b.Hash, err
}

// Register asks for a slot. The hotkey or an authority signs.
func (c *Chain) Register(ctx context.Context, s protocol.Signer, r chain.Registration) (chain.Receipt, error) {
	return c.submit(ctx, s, ledger.Register{Hotkey: r.Hotkey, Coldkey: r.Coldkey})
}

// Commit replaces the commitment of the hotkey that signs.
func (c *Chain) Commit(ctx context.Context, s protocol.Signer, data []byte) (chain.Receipt, error) {
	return c.submit(ctx, s, ledger.Commit{Data: data})
}

// SetWeights replaces the weights of the hotkey that signs. They are in effect at once.
func (c *Chain) SetWeights(ctx context.Context, s protocol.Signer, w chain.Weights) (chain.Receipt, error) {
	return c.submit(ctx, s, ledger.SetWeights(w))
}

// Settle returns the receipt: no call of this chain is pending.
func (c *Chain) Settle(ctx context.Context, _ protocol.Signer, r chain.Receipt) (chain.Receipt, error) {
	return r, ctx.Err()
}

// submit puts a call into the next block and waits for it. A hotkey's second call
// waits for the block after.
func (c *Chain) submit(ctx context.Context, s protocol.Signer, call ledger.Call) (chain.Receipt, error) {
	for {
		if err := ctx.Err(); err != nil {
			return chain.Receipt{}, fmt.Errorf("submit %T: %w", call, err)
		}
		p, advance, err := c.enqueue(s, call)
		var refusal *ledger.Refusal
		if errors.As(err, &refusal) {
			return chain.Receipt{Status: chain.StatusFailed, Reason: refusal.Reason}, nil
		}
		if err != nil {
			return chain.Receipt{}, fmt.Errorf("submit %T: %w", call, err)
		}
		if p != nil {
			o, err := c.await(ctx, p)
			if err == nil && o.Code == ledger.CodeBusy {
				continue
			}
			if err != nil {
				return chain.Receipt{}, err
			}
			return o.receipt(), nil
		}
		select {
		case <-advance:
		case <-ctx.Done():
		}
	}
}

// enqueue returns a nil pending, and a channel to wait on, while the hotkey has
// another call in the pool.
func (c *Chain) enqueue(s protocol.Signer, call ledger.Call) (*pending, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hotkey := s.Hotkey()
	for _, p := range c.mu.pool {
		if p.hotkey == hotkey {
			return nil, c.mu.advance, nil
		}
	}
	g := c.mu.ledger.Genesis()
	tx, err := ledger.NewTx(s, g.Domain(), c.mu.ledger.Nonce(hotkey), c.head().Number+ledger.MaxLifetime, call)
	if err != nil {
		return nil, nil, err
	}
	if err := c.mu.ledger.Check(tx); err != nil {
		return nil, nil, err
	}
	p := &pending{hotkey: hotkey, tx: tx, done: make(chan outcome, 1)}
	c.mu.pool = append(c.mu.pool, p)
	return p, nil, nil
}

// await takes the call back when ctx ends before a block includes it.
func (c *Chain) await(ctx context.Context, p *pending) (outcome, error) {
	select {
	case o := <-p.done:
		return o, nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case o := <-p.done:
		return o, nil
	default:
	}
	c.mu.pool = slices.DeleteFunc(c.mu.pool, func(q *pending) bool { return q == p })
	return outcome{}, fmt.Errorf("submit: taken back before a block included it: %w", ctx.Err())
}
