// Package node assembles a role from its configuration: the wallet, the chain, the
// buckets with their decorators, the engine and the dataset. The commands and the localnet
// start roles only through it, so that what runs in one process runs the same in many.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/internal/tokenizer"
	"templar/internal/userfile"
	"templar/internal/wallet"
	"templar/protocol"
)

// Env is what a process gives to the roles in it.
type Env struct {
	Backends
	Log   *slog.Logger
	Sink  telemetry.Sink
	Clock clock.Clock
	// Alter, when set, changes a node's parts before it has its role: how a localnet makes
	// cheaters.
	Alter func(parts.Parts) parts.Parts
	// Disturb, when set, comes between a node and each bucket that it opens: how a localnet
	// makes faults.
	Disturb func(store.Bucket) store.Bucket
}

// Node is an assembled node, before it has a role. Close releases it.
type Node struct {
	parts.Parts

	closers closers
	traffic store.Counters // with all buckets
}

// patience is how long a node waits for the chain before it says so.
const patience = 3 * time.Second

// Needs are what is opened for a node, beside the wallet, the chain and the reading end of
// the aggregator bucket.
type Needs struct {
	Member     bool // it has a uid, and a bucket of its own
	Aggregates bool // it writes to the aggregator bucket
	Model      bool // it computes: an engine and the dataset
}

// Of is what a role needs.
func Of(r telemetry.Role) Needs {
	switch r {
	case telemetry.Miner, telemetry.Validator:
		return Needs{Member: true, Model: true}
	case telemetry.Aggregator:
		return Needs{Aggregates: true}
	}
	return Needs{Model: true} // an evaluator
}

// Open assembles a node. Everything that can be wrong with its configuration is found here.
func Open(ctx context.Context, c config.Node, r telemetry.Role, needs Needs, env Env) (_ *Node, err error) {
	n := &Node{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	run, err := env.LoadRun(c.Run)
	if err != nil {
		return nil, err
	}
	hotkey, err := wallet.Load(c.Wallet.Path, c.Wallet.Name, c.Wallet.Hotkey)
	if err != nil {
		return nil, err
	}
	client, err := openChain(ctx, c.Chain, env)
	if err != nil {
		return nil, err
	}
	n.closers.add(client.Close)
	buckets := env.Buckets()
	buckets.traffic, buckets.disturb = &n.traffic, env.Disturb
	n.closers.add(buckets.Close)
	n.Parts = parts.Parts{
		Run: run, Clock: env.Clock, Chain: client, Signer: hotkey,
		Directory: directory.New(run.Params, client, buckets),
	}
	if err := n.openBuckets(c, r, needs, buckets, env.Clock); err != nil {
		return nil, err
	}
	if needs.Member {
		if n.UID, err = directory.Registered(ctx, client, hotkey.Hotkey()); err != nil {
			return nil, err
		}
	}
	n.identify(c, r, env)
	n.Chain = &watched{Chain: client, blockTime: run.Params.BlockTime(), endpoint: c.Chain.Endpoint, log: n.Log}
	if needs.Model {
		if err := n.openEngine(c.Options, env); err != nil {
			return nil, err
		}
		if err := n.openDataset(ctx, c.Buckets, buckets, env.Clock); err != nil {
			return nil, err
		}
		if n.Tokenizer, err = tokenizerOf(n.Data, c.Options.Tokenizer); err != nil {
			return nil, err
		}
	}
	if env.Alter != nil {
		n.Parts = env.Alter(n.Parts)
	}
	return n, nil
}

func openChain(ctx context.Context, c config.Chain, env Env) (ChainConn, error) {
	env.Log.Debug("connecting", "chain", c.Endpoint)
	slow := time.AfterFunc(patience, func() {
		env.Log.Warn("the chain does not answer yet: is its node running, and is the address right?", "chain", c.Endpoint)
	})
	defer slow.Stop()
	return env.Chain(ctx, c, env.Clock)
}

// LoadParams reads a run parameters' file. The method's parameters are not checked.
func LoadParams(path string) (protocol.Params, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return protocol.Params{}, fmt.Errorf("run parameters: %w", err)
	}
	if b, err = userfile.JSON(b); err != nil {
		return protocol.Params{}, fmt.Errorf("run parameters: %s %w", path, err)
	}
	p, err := protocol.DecodeParams(b)
	if err != nil {
		return protocol.Params{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// ownRequests is how many requests to one bucket a node has under way, beside a gather.
const ownRequests = 32

// openBuckets opens what the role works with. The node's own calls are limited and retried;
// peers' buckets are not, since a gather has a deadline and retries of its own.
func (n *Node) openBuckets(c config.Node, r telemetry.Role, needs Needs, d *Buckets, clk clock.Clock) error {
	open := func(what string, l store.Location, dial func(store.Location) (store.Bucket, error)) (store.Bucket, error) {
		b, err := dial(l)
		if err != nil {
			return nil, fmt.Errorf("%s bucket: %w", what, err)
		}
		return store.Retry(store.Limit(b, ownRequests), store.RetryPolicy{}, clk), nil
	}
	owned := func(b store.Bucket, release func(), err error) (store.Bucket, error) {
		if err == nil {
			n.closers.add(func() error { release(); return nil })
		}
		return b, err
	}
	dialOwn := func(l store.Location) (store.Bucket, error) { return owned(d.DialOwn(l)) }
	dialAggregator := d.Dial
	if needs.Aggregates {
		dialAggregator = dialOwn
	}
	var err error
	if n.Aggregator, err = open("aggregator", c.Buckets.Aggregator.Location(), dialAggregator); err != nil {
		return err
	}
	if needs.Member {
		n.Commitment = directory.Commitment{Role: r, Location: c.Buckets.Gradients.Reading()}
		if !n.Run.Params.TrustsStore(n.Commitment.Location.Endpoint) {
			return fmt.Errorf("own bucket: %s is not one of the run's stores %v: nobody would read it", n.Commitment.Location.Endpoint, n.Run.Params.Stores)
		}
		if n.Own, err = open("own", c.Buckets.Gradients.Writing(), dialOwn); err != nil {
			return err
		}
		if n.OwnAsPeer, err = open("own", n.Commitment.Location, d.Dial); err != nil {
			return err
		}
	}
	if n.Local, err = owned(openDirectory(c.DataDir, "state")); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	n.Scratch = filepath.Join(c.DataDir, "downloads")
	return nil
}

func (n *Node) openEngine(c config.Options, env Env) error {
	e, err := env.Engine(c.Device, n.Run.Params.Model, EngineOptions{Threads: c.Threads, BLAS: c.BLAS})
	if err != nil {
		return err
	}
	n.Engine = e
	n.closers.add(e.Close)
	return nil
}

func (n *Node) openDataset(ctx context.Context, c config.Buckets, d store.Dialer, clk clock.Clock) error {
	sources, err := dialDataset(c, d, clk)
	if err != nil {
		return err
	}
	n.Data, err = data.Open(ctx, sources[0], n.Run.Params.DatasetHash, sources[1:]...)
	return err
}

// dialDataset opens the dataset's bucket and its mirrors.
func dialDataset(c config.Buckets, d store.Dialer, clk clock.Clock) (sources []store.Reader, err error) {
	for _, b := range append([]config.Bucket{c.Dataset}, c.Mirrors...) {
		bucket, err := d.Dial(b.Location())
		if err != nil {
			return nil, fmt.Errorf("dataset bucket %q: %w", b.Name, err)
		}
		policy := store.RetryPolicy{}
		if len(c.Mirrors) > 0 {
			policy.Attempts = 2 // then it is another's turn
		}
		sources = append(sources, store.Retry(bucket, policy, clk))
	}
	return sources, nil
}

// tokenizerOf is the tokenizer that a dataset was made with, as far as it is known: a dataset
// holds its name only.
func tokenizerOf(d *data.Dataset, file string) (data.Tokenizer, error) {
	want := d.Manifest().Tokenizer
	if file == "" {
		if want == (data.Bytes{}).Name() {
			return data.Bytes{}, nil
		}
		return nil, nil
	}
	t, err := tokenizer.Load(file)
	if err != nil {
		return nil, err
	}
	if t.Name() != want {
		return nil, fmt.Errorf("%s: its tokenizer is %s, the dataset was made with %s: name the tokenizer.json of the dataset with --tokenizer", file, t.Name(), want)
	}
	return t, nil
}

func (n *Node) identify(c config.Node, r telemetry.Role, env Env) {
	name := c.Name
	if name == "" {
		name = fmt.Sprintf("%s-%d", r, n.UID)
	}
	n.Log = env.Log.With("node", name)
	n.Events = telemetry.Reporter{Node: name, Role: r, UID: n.UID, Clock: env.Clock, Sink: env.Sink}
}

// Close releases connections and memory.
func (n *Node) Close() error { return n.closers.close() }

// closers are what ends a node's parts, in the order in which they were opened.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

// close closes the last one first.
func (c *closers) close() error {
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		errs = append(errs, (*c)[i]())
	}
	*c = nil
	return errors.Join(errs...)
}

// Run assembles a node and runs its role. What the node tells to its last moment is sent
// to where the configuration says.
func Run(ctx context.Context, c config.Node, r telemetry.Role, env Env) error {
	env, senders, err := exported(ctx, c, r, env)
	if err != nil {
		return err
	}
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	all := len(senders) + 1
	env.Clock.Each(all, all, func(i int) {
		if i < len(senders) {
			senders[i](sending)
			return
		}
		defer stop()
		err = work(ctx, c, r, env)
	})
	return err
}

func work(ctx context.Context, c config.Node, r telemetry.Role, env Env) error {
	n, err := Open(ctx, c, r, Of(r), env)
	if err != nil {
		return err
	}
	node, err := n.Work(r, chosen(c.Options))
	if err == nil {
		err = node.Run(ctx)
	}
	t := n.traffic.Snapshot()
	n.Log.Info("object store", "requests", t.Requests, "errors", t.Errors, "bytes_up", t.BytesUp, "bytes_down", t.BytesDown)
	return errors.Join(err, n.Close())
}

// chosen is what the operator's options say to a role.
func chosen(o config.Options) role.Config {
	return role.Config{Windows: o.Windows, Every: o.Every, HeldOutBatches: o.Batches, AllPeers: o.Test, Peers: o.Peers, StoreGathers: o.StoreGathers, KeepGathers: protocol.Window(o.KeepGathers)}
}
