package node

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/store"
)

// How long the stores of the configuration may fail before a warning, and how long after it the next one comes. Roles bear
// a store that fails, and in the meantime log only what comes of that.
const (
	storePatience = 10 * time.Second
	storeReminder = time.Minute
)

// watchedStores opens buckets, and logs when no request to a store of the configuration succeeds. Other peers' stores may fail.
type watchedStores struct {
	*Buckets
	watchers map[string]*store.Watcher // by endpoint
}

func watchStores(d *Buckets, configured []store.Location, log *slog.Logger, node string) watchedStores {
	w := watchedStores{Buckets: d, watchers: make(map[string]*store.Watcher)}
	for _, l := range configured {
		if dir, err := bucketDir(l); l.Endpoint == "" || err != nil || dir != "" {
			continue
		}
		w.watchers[l.Endpoint] = &store.Watcher{
			Patience: storePatience, Every: storeReminder,
			Failing: func(since time.Duration, why error) {
				log.Warn("no request to the object store succeeds", "node", node, "store", l.Endpoint, "since", since.Round(time.Second), "err", why)
			},
			Back: func(after time.Duration) {
				log.Info("the object store is back", "node", node, "store", l.Endpoint, "after", after.Round(time.Second))
			},
		}
	}
	return w
}

func (w watchedStores) watch(l store.Location, b store.Bucket) store.Bucket {
	if watcher := w.watchers[l.Endpoint]; watcher != nil {
		return store.Watch(b, watcher)
	}
	return b
}

// Dial is as that of Buckets.
func (w watchedStores) Dial(l store.Location) (store.Bucket, error) {
	b, err := w.Buckets.Dial(l)
	if err != nil {
		return nil, err
	}
	return w.watch(l, b), nil
}

// DialOwn is as that of Buckets.
func (w watchedStores) DialOwn(l store.Location) (b store.Bucket, release func(), err error) {
	if b, release, err = w.Buckets.DialOwn(l); err != nil {
		return nil, nil, err
	}
	return w.watch(l, b), release, nil
}

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
