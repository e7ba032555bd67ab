// Package node assembles a role from its configuration: the wallet, the chain, the buckets with
// their decorators, the engine and the dataset. The commands and the localnet start roles only
// through it, so that one process and many behave the same.
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
	"templar/internal/engine"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/tasks"
	"templar/internal/telemetry"
	"templar/internal/tokenizer"
	"templar/internal/userfile"
	"templar/internal/versioned"
	"templar/internal/wallet"
	"templar/internal/workers"
	"templar/protocol"
)

// Env is what the roles of a process share.
type Env struct {
	Backends
	Log   *slog.Logger
	Sink  telemetry.Sink
	Clock clock.Clock
	// Version of the program, for metrics and status.
	Version string
	// Monitor, when set, shows the nodes of this process on an admin server of its owner.
	// Otherwise each node has a server of its own.
	Monitor *Monitor
	// Alter, when set, changes a node's parts before it has its role: a localnet makes
	// adversaries with it.
	Alter func(parts.Parts) parts.Parts
	// Disturb, when set, wraps each bucket that a node opens: a localnet injects
	// faults with it.
	Disturb func(store.Bucket) store.Bucket
}

// Node is an assembled node, before it has a role. Close releases it.
type Node struct {
	parts.Parts

	closers closers
}

// patience is how long a node waits for the chain before it logs a warning.
const patience = 3 * time.Second

// Open assembles a node. It reports all faults of the configuration.
func Open(ctx context.Context, c config.Node, r telemetry.Role, needs parts.Needs, env Env) (_ *Node, err error) {
	workers.LeaveRoom()
	n := &Node{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	s := parts.Spec{Name: c.Name, Role: r, Needs: needs, Clock: env.Clock, Log: env.Log, Sink: env.Sink}
	if s.Run, err = env.LoadRun(c.Run); err != nil {
		return nil, err
	}
	if err := DataFolder.Check(c.DataDir); err != nil { // before a chain is waited for
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
	if c, ok := client.(interface{ Resume(protocol.Signer) }); ok {
		c.Resume(hotkey) // of weights that a process before this one committed
	}
	if needs.Member {
		if s.UID, err = directory.Registered(ctx, client, hotkey.Hotkey()); err != nil {
			return nil, err
		}
	}
	if s.Name == "" {
		s.Name = fmt.Sprintf("%s-%d", r, s.UID)
	}
	s.Signer = hotkey
	s.Chain = &watched{Chain: client, blockTime: s.Run.Params.BlockTime(), endpoint: c.Chain.Endpoint, clock: env.Clock, log: env.Log.With("node", s.Name)}
	buckets := env.Buckets()
	n.closers.add(buckets.Close)
	options, err := env.engineOptions(c.Options, r, needs, s.Run)
	if err != nil {
		return nil, err
	}
	options.Log = s.Log
	s.Engine = func(m protocol.Model) (engine.Engine, error) { return env.Engine(c.Options.Device, m, options) }
	if err := n.place(&s, c, buckets, env); err != nil {
		return nil, err
	}
	if err := n.build(ctx, s); err != nil {
		return nil, err
	}
	if needs.Model {
		n.Events.Usage = func() telemetry.Usage { return telemetry.Usage(n.Engine.Usage()) }
		if n.Tokenizer, err = tokenizerOf(n.Data, c.Options.Tokenizer); err != nil {
			return nil, err
		}
	}
	if o := c.Options; r == telemetry.Evaluator && o.Tasks != "" {
		if n.Tasks, err = tasks.OpenAll(o.Tasks, tasks.Options{Limit: o.TaskLimit, MMLUShots: o.MMLUShots}); err != nil {
			return nil, err
		}
	}
	if env.Alter != nil {
		n.Parts = env.Alter(n.Parts)
	}
	return n, nil
}

// DataFolder is a node's data directory, which may be the folder of its configuration too: the names there differ. What the
// node has sent, and keeps there, is of one version of the protocol.
var DataFolder = versioned.Folder{Protocol: protocol.Version, File: versioned.File{
	Name: "data.json", Version: 1, Remedy: "run the release that wrote it, or choose another data_dir",
}}

// place adds what a configuration says of buckets and directories.
func (n *Node) place(s *parts.Spec, c config.Node, d *Buckets, env Env) (err error) {
	s.Buckets = parts.Buckets{
		Dataset: datasets(c.Buckets), Aggregator: c.Buckets.Aggregator.Location(), Own: c.Buckets.Gradients.Writing(), AsPeer: c.Buckets.Gradients.Reading(),
	}
	if s.Role == telemetry.Evaluator {
		s.Buckets.Own, s.Buckets.AsPeer = c.Buckets.Results.Writing(), store.Location{}
	}
	stores := watchStores(d, append(datasets(c.Buckets), s.Buckets.Aggregator, s.Buckets.Own), s.Log, s.Name)
	s.Buckets.Dialer, s.Buckets.Owned = stores, owned{stores, &n.closers}
	if env.Disturb != nil {
		s.Buckets.Disturb = func(_ store.Location, b store.Bucket) store.Bucket { return env.Disturb(b) }
	}
	local, release, err := openDirectory(c.DataDir, "state")
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	n.closers.add(func() error { release(); return nil })
	if err := DataFolder.Enter(c.DataDir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	s.Local, s.Scratch = local, filepath.Join(c.DataDir, "downloads")
	return nil
}

func (n *Node) build(ctx context.Context, s parts.Spec) (err error) {
	if n.Parts, err = parts.Build(ctx, s); err == nil {
		n.closers.add(n.Parts.Close)
	}
	return err
}

// owned opens buckets to write to, which closers release.
type owned struct {
	buckets watchedStores
	closers *closers
}

func (o owned) Dial(l store.Location) (store.Bucket, error) {
	b, release, err := o.buckets.DialOwn(l)
	if err == nil {
		o.closers.add(func() error { release(); return nil })
	}
	return b, err
}

func openChain(ctx context.Context, c config.Chain, env Env) (ChainConn, error) {
	env.Log.Debug("connecting", "chain", c.Endpoint)
	slow := time.AfterFunc(patience, func() {
		env.Log.Warn("the chain does not answer yet: is its node running, and is the address right?", "chain", c.Endpoint)
	})
	defer slow.Stop()
	return env.Chain(ctx, c, env.Clock, env.Log)
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

// datasets are where the dataset is, and its mirrors.
func datasets(c config.Buckets) (at []store.Location) {
	for _, b := range append([]config.Bucket{c.Dataset}, c.Mirrors...) {
		at = append(at, b.Location())
	}
	return at
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

// Run assembles a node and runs its role. Metrics and logs up to its end are sent to the servers of
// the configuration.
func Run(ctx context.Context, c config.Node, r telemetry.Role, env Env) error {
	env, senders, err := exported(ctx, c, r, env)
	if err != nil {
		return err
	}
	console, err := openConsole(c, &env)
	if err != nil {
		return err
	}
	if console != nil {
		senders = append(senders, func(ctx context.Context) { console.run(ctx, env) })
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
		err = work(ctx, c, r, env, console)
	})
	return err
}

func work(ctx context.Context, c config.Node, r telemetry.Role, env Env, console *console) error {
	n, err := Open(ctx, c, r, parts.Of(r), env)
	if err != nil {
		return err
	}
	node, err := n.Work(r, chosen(c.Options))
	if err == nil {
		defer console.announce(c.DataDir, env)()
		err = n.run(ctx, node, env.Monitor)
	}
	t := n.Traffic.Snapshot()
	n.Log.Info("object store", "requests", t.Requests, "errors", t.Errors, "bytes_up", t.BytesUp, "bytes_down", t.BytesDown)
	return errors.Join(err, n.Close())
}

func (n *Node) run(ctx context.Context, w parts.Worker, m *Monitor) error {
	if m != nil {
		defer m.Add(n, w)()
	}
	return w.Run(ctx)
}

// chosen returns the operator's options for a role.
func chosen(o config.Options) role.Config {
	return role.Config{
		Windows: o.Windows, Theta0: o.Theta0, Every: o.Every, Batches: o.Batches, HeldOutBatches: o.Batches, AllPeers: o.Test, Peers: o.Peers,
		StoreGathers: o.StoreGathers, KeepGathers: protocol.Window(o.KeepGathers), TasksEvery: o.TasksEvery,
	}
}
