package bittensor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

// defaultSlot is the chain's block time, unless a runtime says another.
const defaultSlot = 12 * time.Second

// head returns the newest final block that is known, and waits for the first.
func (c *Client) head(ctx context.Context) (block, error) {
	if err := ctx.Err(); err != nil {
		return block{}, err
	}
	if _, err := c.current(ctx, false); err != nil {
		return block{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.final, nil
}

// Head returns the newest final block.
func (c *Client) Head(ctx context.Context) (chain.Block, error) {
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b, err := c.head(short)
	if err == nil {
		return c.dated(short, b)
	}
	return chain.Block{}, fmt.Errorf("chain head: %w", errors.Join(err, ctx.Err()))
}

// Block returns a final block. One that is not final yet is waited for; one that does
// not exist is chain.ErrFuture.
func (c *Client) Block(ctx context.Context, number uint64) (chain.Block, error) {
	head, err := c.head(ctx)
	if err != nil {
		return chain.Block{}, fmt.Errorf("block %d: %w", number, err)
	}
	c.mu.Lock()
	best := c.mu.best
	c.mu.Unlock()
	if number > max(best, head.number) {
		return chain.Block{}, fmt.Errorf("block %d: %w, the newest is %d", number, chain.ErrFuture, best)
	}
	return c.Wait(ctx, number)
}

// Wait returns block number once it is final, however long endpoints are away.
func (c *Client) Wait(ctx context.Context, number uint64) (chain.Block, error) {
	b, err := c.wait(ctx, number)
	if err != nil {
		return chain.Block{}, fmt.Errorf("wait for block %d: %w", number, err)
	}
	return c.dated(ctx, b)
}

// Randomness returns the hash of the block, once it is final.
func (c *Client) Randomness(ctx context.Context, number uint64) (protocol.Hash, error) {
	b, err := c.wait(ctx, number)
	if err != nil {
		return protocol.Hash{}, fmt.Errorf("randomness of block %d: %w", number, err)
	}
	return b.hash, nil
}

// wait returns final block number, without its time.
func (c *Client) wait(ctx context.Context, number uint64) (block, error) {
	for {
		c.mu.Lock()
		final, changed := c.mu.final, c.mu.changed
		b, known := c.mu.recent[number]
		c.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return block{}, err
		}
		switch {
		case known:
			return b, nil
		case !final.hash.IsZero() && number <= final.number:
			return c.fetch(ctx, number)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return block{}, ctx.Err()
		}
	}
}

// fetch asks for a final block that is not remembered.
func (c *Client) fetch(ctx context.Context, number uint64) (b block, err error) {
	err = c.persist(ctx, func(l *link) error {
		hash, err := blockHash(ctx, l, number)
		if err != nil {
			return err
		}
		b = block{number: number, hash: hash}
		if number == 0 {
			return nil
		}
		h, err := header(ctx, l, hash)
		if err == nil && h.Number != number {
			err = fmt.Errorf("block %v is numbered %d, not %d", hash, h.Number, number)
		}
		b.parent = h.Parent
		return err
	})
	return b, err
}

// dated adds a block's time.
func (c *Client) dated(ctx context.Context, b block) (chain.Block, error) {
	if b.time.IsZero() {
		err := c.persist(ctx, func(l *link) (err error) {
			b.time, err = c.timeOf(ctx, l, b)
			return err
		})
		if err != nil {
			return chain.Block{}, fmt.Errorf("time of block %d: %w", b.number, err)
		}
		c.mu.Lock()
		if old, ok := c.mu.recent[b.number]; ok && old.hash == b.hash {
			c.mu.recent[b.number] = b
		}
		c.mu.Unlock()
	}
	return chain.Block{Number: b.number, Hash: b.hash, Parent: b.parent, Time: b.time}, nil
}

// timeOf reads when a block was made: from the state, or where it is pruned from the
// block's first extrinsic. Block 0 has no time: it counts as one slot before block 1.
func (c *Client) timeOf(ctx context.Context, l *link, b block) (time.Time, error) {
	if b.number == 0 {
		return c.timeOfGenesis(ctx, l)
	}
	rt, err := c.anyRuntime(ctx, l) // the item is the same in all
	if err == nil {
		s := &state{l: l, rt: rt, at: b}
		var v uint64
		if v, err = s.number(ctx, "Timestamp", "Now"); err == nil && v > 0 {
			return milliseconds(v)
		}
	}
	var e *rpc.Error
	if err != nil && (!errors.As(err, &e) || !discarded(e)) {
		return time.Time{}, err
	}
	return c.timeOfBody(ctx, l, b)
}

func milliseconds(v uint64) (time.Time, error) {
	if v > math.MaxInt64/1000 {
		return time.Time{}, fmt.Errorf("%d is not a time", v)
	}
	return time.UnixMilli(int64(v)), nil
}

func (c *Client) timeOfGenesis(ctx context.Context, l *link) (time.Time, error) {
	hash, err := blockHash(ctx, l, 1)
	if err != nil {
		return time.Unix(0, 0), nil // there is none yet
	}
	first, err := c.timeOf(ctx, l, block{number: 1, hash: hash})
	return first.Add(-defaultSlot), err
}

// timeOfBody reads Timestamp.set, with which every block's body begins. Bodies are kept
// where state is pruned.
func (c *Client) timeOfBody(ctx context.Context, l *link, b block) (time.Time, error) {
	list, err := body(ctx, l, b.hash)
	if err != nil {
		return time.Time{}, err
	}
	rt, err := c.anyRuntime(ctx, l) // the state that names the block's own is gone
	if err != nil {
		return time.Time{}, err
	}
	if len(list) == 0 {
		return time.Time{}, fmt.Errorf("block %d has no extrinsics", b.number)
	}
	x, err := rt.DecodeExtrinsic(list[0])
	if err != nil {
		return time.Time{}, err
	}
	if x.Decoded.Pallet != "Timestamp" || x.Decoded.Name != "set" {
		return time.Time{}, fmt.Errorf("block %d begins with %s.%s, not with its time", b.number, x.Decoded.Pallet, x.Decoded.Name)
	}
	v, err := runtime.U64(x.Decoded.Args["now"])
	if err != nil {
		return time.Time{}, err
	}
	return milliseconds(v)
}

// body asks for a block's extrinsics.
func body(ctx context.Context, l caller, hash protocol.Hash) ([][]byte, error) {
	var got *struct {
		Block struct {
			Header     runtime.Header `json:"header"`
			Extrinsics []string       `json:"extrinsics"`
		} `json:"block"`
	}
	if err := l.Call(ctx, &got, "chain_getBlock", runtime.Hex(hash[:])); err != nil {
		return nil, err
	}
	if got == nil {
		return nil, fmt.Errorf("block %v: %w", hash, errBehind)
	}
	if h := got.Block.Header; h.Number > 0 && h.Hash() != hash {
		return nil, fmt.Errorf("the endpoint gave another block than %v", hash)
	}
	list := make([][]byte, 0, len(got.Block.Extrinsics))
	for _, text := range got.Block.Extrinsics {
		b, err := runtime.ParseHex(text)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

// discarded reports whether a node says that it does not have a block's state any more.
func discarded(e *rpc.Error) bool {
	text := strings.ToLower(e.Message + string(e.Data))
	return strings.Contains(text, "discarded") || strings.Contains(text, "pruned") || e.Code == rules.CodeDiscarded && strings.Contains(text, "state")
}
