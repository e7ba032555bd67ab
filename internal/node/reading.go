package node

import (
	"context"
	"errors"
	"fmt"

	"templar/internal/chain"
	"templar/internal/config"
	"templar/internal/directory"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
)

// Reading is access to a run with read keys only. It has no identity, writes nothing, and takes no
// lock: a node with the same configuration may run beside it.
type Reading struct {
	run.Run
	Chain      chain.Chain
	Directory  *directory.Directory
	Aggregator store.Bucket   // to read
	Dataset    []store.Reader // the bucket and its mirrors; none when the configuration names none

	closers closers
}

// OpenReading opens what a configuration names, to read it.
func OpenReading(ctx context.Context, c config.Node, env Env) (_ *Reading, err error) {
	r := &Reading{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.Run, err = env.LoadRun(c.Run); err != nil {
		return nil, err
	}
	conn, err := openChain(ctx, c.Chain, env)
	if err != nil {
		return nil, err
	}
	r.closers.add(conn.Close)
	buckets := env.Buckets()
	r.closers.add(buckets.Close)
	r.Chain, r.Directory = conn, directory.New(r.Params, conn, buckets)
	b, err := buckets.Dial(c.Buckets.Aggregator.Location())
	if err != nil {
		return nil, fmt.Errorf("aggregator bucket: %w", err)
	}
	r.Aggregator = parts.Steady(b, 0, store.RetryPolicy{}, env.Clock)
	if c.Buckets.Dataset.Endpoint != "" {
		r.Dataset, err = parts.Datasets(buckets, datasets(c.Buckets), store.RetryPolicy{}, env.Clock)
	}
	return r, err
}

// Close ends all connections.
func (r *Reading) Close() error { return r.closers.close() }
