package node

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
)

// watched logs a warning when the chain stops making blocks. Its client waits for them without a
// limit, and without the warning a waiting role would appear to hang.
type watched struct {
	chain.Chain
	blockTime time.Duration
	endpoint  string
	clock     clock.Clock
	log       *slog.Logger

	newest atomic.Uint64 // newest block received
}

// ClockAhead is of the chain that is watched.
func (c *watched) ClockAhead(ctx context.Context) (time.Duration, error) {
	return chain.Skew(ctx, c.Chain, c.clock)
}

func (c *watched) Head(ctx context.Context) (chain.Block, error) {
	b, err := c.Chain.Head(ctx)
	return c.see(b), err
}

func (c *watched) Wait(ctx context.Context, n uint64) (chain.Block, error) {
	silent := time.AfterFunc(c.due(n), func() {
		c.log.Warn("the chain is silent: is its node running?", "chain", c.endpoint, "block", n)
	})
	b, err := c.Chain.Wait(ctx, n)
	if warned := !silent.Stop(); warned && err == nil {
		c.log.Info("the chain is back", "block", b.Number)
	}
	return c.see(b), err
}

// due is how long block n may take: twice its time, since a busy machine is late with blocks.
func (c *watched) due(n uint64) time.Duration {
	missing := max(n, c.newest.Load()) - c.newest.Load()
	return patience + 2*time.Duration(missing)*c.blockTime
}

func (c *watched) see(b chain.Block) chain.Block {
	if b.Number > c.newest.Load() { // with two concurrent callers either value is right
		c.newest.Store(b.Number)
	}
	return b
}
