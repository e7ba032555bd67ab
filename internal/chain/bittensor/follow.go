package bittensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

// errFork is wrapped when an endpoint's final block does not continue the chain.
var errFork = errors.New("its final blocks do not continue the chain that was seen before")

// errBehind: an endpoint does not have a block yet that is final elsewhere.
var errBehind = errors.New("the endpoint is behind")

// maxWalk is the longest gap in which each header is fetched and held against the next.
const maxWalk = 512

// When finality counts as stalled.
const (
	stallAfter  = 2 * time.Minute
	stallBlocks = 8
	lookEvery   = 15 * time.Second
)

// follow keeps the heads up to date until the connection ends. up reports whether it ever
// did.
func (c *Client) follow(ctx context.Context, l *link) (up bool, err error) {
	sctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	finals, err := l.Subscribe(sctx, "chain_subscribeFinalizedHeads")
	if err != nil {
		return false, err
	}
	heads, err := l.Subscribe(sctx, "chain_subscribeNewHeads")
	if err != nil {
		return false, err
	}
	if err := c.catchUp(ctx, l); err != nil {
		return false, err
	}
	c.use(l)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case raw, ok := <-finals.C:
			if !ok {
				return true, l.Err()
			}
			var h runtime.Header
			if err := json.Unmarshal(raw, &h); err != nil {
				return true, fmt.Errorf("%s: %w", l.url, err)
			}
			if err := c.advance(ctx, l, h, h.Hash()); err != nil {
				return true, fmt.Errorf("%s: %w", l.url, err)
			}
		case raw, ok := <-heads.C:
			if !ok {
				return true, l.Err()
			}
			c.noteBest(raw)
		case <-look.C:
			c.noteStall(ctx, l)
		case <-l.Done():
			return true, l.Err()
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
}

// catchUp asks for the final head: a subscription need not begin with it.
func (c *Client) catchUp(ctx context.Context, l *link) error {
	var text string
	if err := l.Call(ctx, &text, "chain_getFinalizedHead"); err != nil {
		return err
	}
	hash, err := runtime.ParseHash(text)
	if err != nil {
		return err
	}
	h, err := header(ctx, l, hash)
	if err != nil {
		return err
	}
	return c.advance(ctx, l, h, hash)
}

// advance takes a final header. What lies between it and the one before is fetched by
// the parents' hashes, so that the chain has no gap and no other branch.
func (c *Client) advance(ctx context.Context, l *link, h runtime.Header, hash protocol.Hash) error {
	c.mu.Lock()
	last := c.mu.final
	c.mu.Unlock()
	if h.Number < last.number { // another endpoint is behind: it will come
		return nil
	}
	path := []block{{number: h.Number, hash: hash, parent: h.Parent}}
	if !last.hash.IsZero() {
		if h.Number == last.number && hash != last.hash {
			return fmt.Errorf("%w: block %d is %v here, %v before", errFork, h.Number, hash, last.hash)
		}
		var err error
		if path, err = c.walk(ctx, l, path, last); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.Number > c.mu.final.number || c.mu.final.hash.IsZero() {
		c.mu.final = path[0]
		c.mu.moved, c.mu.stalled = time.Now(), false
	}
	c.mu.best = max(c.mu.best, h.Number)
	for _, b := range path {
		if old, ok := c.mu.recent[b.number]; !ok || old.hash != b.hash {
			c.mu.recent[b.number] = b
		}
	}
	for n := range c.mu.recent {
		if n+keepBlocks < h.Number {
			delete(c.mu.recent, n)
		}
	}
	c.change()
	return nil
}

// walk extends path, the newest block first, down to the one after last, whose parent
// must be last.
func (c *Client) walk(ctx context.Context, l *link, path []block, last block) ([]block, error) {
	newest := path[0].number
	if newest <= last.number {
		return path, nil
	}
	if newest-last.number > maxWalk { // away for hours: believe the endpoint's own index in between
		hash, err := blockHash(ctx, l, last.number)
		if err == nil && hash != last.hash {
			err = fmt.Errorf("%w: block %d is %v here, %v before", errFork, last.number, hash, last.hash)
		}
		return path, err
	}
	for b := path[0]; b.number > last.number+1; {
		h, err := header(ctx, l, b.parent)
		if err != nil {
			return nil, err
		}
		if h.Number != b.number-1 {
			return nil, fmt.Errorf("%w: the parent of block %d is numbered %d", errFork, b.number, h.Number)
		}
		b = block{number: h.Number, hash: b.parent, parent: h.Parent}
		path = append(path, b)
	}
	if first := path[len(path)-1]; first.parent != last.hash {
		return nil, fmt.Errorf("%w: the parent of block %d is %v, not %v", errFork, first.number, first.parent, last.hash)
	}
	return path, nil
}

// keepArrivals is for how many blocks it is known when they came.
const keepArrivals = 64

// ClockAhead returns how far this machine's clock is ahead of the chain's: by the next block
// that is made, when it comes, and what its time is once it is final. The answer is off by
// no more than the block was under way. Negative means behind.
func (c *Client) ClockAhead(ctx context.Context) (time.Duration, error) {
	c.mu.Lock()
	n := max(c.mu.best, c.mu.final.number) + 1
	c.mu.Unlock()
	for ; ; n++ {
		b, err := c.Wait(ctx, n)
		if err != nil {
			return 0, fmt.Errorf("clock skew: %w", err)
		}
		c.mu.Lock()
		at, ok := c.mu.arrived[n]
		c.mu.Unlock()
		if ok { // not left out, as blocks are around a reconnection
			return at.Sub(b.Time), nil
		}
	}
}

func (c *Client) noteBest(raw json.RawMessage) {
	var h runtime.Header
	if json.Unmarshal(raw, &h) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.Number > c.mu.best {
		c.mu.best = h.Number
		c.mu.arrived[h.Number] = time.Now()
		for n := range c.mu.arrived { // numbers may leap
			if n+keepArrivals <= h.Number {
				delete(c.mu.arrived, n)
			}
		}
		c.change()
	}
}

// noteStall says when final blocks do not come although blocks do, and when nothing does.
func (c *Client) noteStall(ctx context.Context, l *link) {
	c.mu.Lock()
	final, best, since := c.mu.final.number, c.mu.best, time.Since(c.mu.moved)
	was := c.mu.stalled
	c.mu.stalled = since > stallAfter
	now := c.mu.stalled
	c.mu.Unlock()
	if !now || was {
		return
	}
	if best >= final+stallBlocks {
		c.log.WarnContext(ctx, "the chain's finality stalls: blocks come, and none becomes final", "final", final, "best", best, "for", since.Round(time.Second), "endpoint", l.url)
		return
	}
	c.log.WarnContext(ctx, "the chain makes no blocks, or the endpoint does not follow it", "final", final, "best", best, "for", since.Round(time.Second), "endpoint", l.url)
	if len(c.opts.Endpoints) > 1 {
		l.Close()
	}
}

// blockHash asks for a block's hash. A block that is not there wraps errBehind.
func blockHash(ctx context.Context, l caller, number uint64) (protocol.Hash, error) {
	var text *string
	if err := l.Call(ctx, &text, "chain_getBlockHash", number); err != nil {
		return protocol.Hash{}, err
	}
	if text == nil {
		return protocol.Hash{}, fmt.Errorf("block %d: %w", number, errBehind)
	}
	return runtime.ParseHash(*text)
}

// header asks for a header by its hash, and hashes it again. The genesis of test chains
// need not hash to its name.
func header(ctx context.Context, l caller, hash protocol.Hash) (h runtime.Header, err error) {
	var got *runtime.Header
	if err := l.Call(ctx, &got, "chain_getHeader", runtime.Hex(hash[:])); err != nil {
		return h, err
	}
	if got == nil {
		return h, fmt.Errorf("block %v: %w", hash, errBehind)
	}
	if got.Number > 0 && got.Hash() != hash {
		return h, fmt.Errorf("the endpoint gave another header than block %v", hash)
	}
	return *got, nil
}

// caller is what is needed to ask a node.
type caller interface {
	Call(ctx context.Context, out any, method string, params ...any) error
}

var _ caller = (*rpc.Conn)(nil)
