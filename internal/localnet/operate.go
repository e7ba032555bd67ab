package localnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/node"
	"templar/internal/store/server"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/internal/workers"
)

// operate runs the services until the roles are done. It returns the evaluator, which
// holds the trained model.
func (o *Options) operate(ctx context.Context, n *network, sink telemetry.Sink, c *collect.Collector, m *node.Monitor) (*evaluated, error) {
	objects, addr, err := openStore(n, o.Log)
	if err != nil {
		return nil, err
	}
	blocks, err := o.Backends.Private.Serve(n.path("chain"), n.ChainAddr, n.params.BlockTime(), o.Log)
	if err != nil {
		addr.Close()
		return nil, err
	}
	// The services outlive the roles, so that these can finish their current step. When a
	// service fails, the roles are stopped.
	serviceCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	roleCtx, abandon := context.WithCancel(ctx)
	defer abandon()
	var services errgroup.Group
	serve := func(run func(context.Context) error) {
		services.Go(func() error {
			defer abandon()
			return run(serviceCtx)
		})
	}
	serve(func(ctx context.Context) error { return objects.Serve(ctx, addr) })
	serve(blocks.Run)

	env := node.Env{Backends: o.Backends, Log: o.Log, Sink: sink, Clock: clock.Wall{}, Version: o.Version, Monitor: m, Disturb: o.chaos(clock.Wall{})}
	e, err := o.runRoles(roleCtx, n, env, c)
	stop()
	if failed := services.Wait(); failed != nil {
		err = failed
	}
	return e, err
}

// runRoles runs the roles until all are done, or one fails.
func (o *Options) runRoles(ctx context.Context, n *network, env node.Env, c *collect.Collector) (*evaluated, error) {
	running, ctx := errgroup.WithContext(ctx)
	e, err := o.start(ctx, n, env, running, c)
	if err != nil {
		running.Go(func() error { return err })
	}
	err = running.Wait()
	if e != nil {
		err = errors.Join(err, e.close())
	}
	return e, err
}

// openStore opens the S3 server and its address.
func openStore(n *network, log *slog.Logger) (*server.Server, net.Listener, error) {
	c, err := config.LoadStore(n.path("store.json"))
	if err != nil {
		return nil, nil, err
	}
	var keys []server.Key
	for _, a := range c.Keys {
		keys = append(keys, a.Key())
	}
	s, err := server.Open(server.Config{Dir: c.Dir, Keys: keys, Fsync: true, Log: log})
	if err != nil {
		return nil, nil, err
	}
	for _, b := range c.Buckets {
		if err := s.CreateBucket(b); err != nil {
			return nil, nil, err
		}
	}
	l, err := net.Listen("tcp", n.StoreAddr)
	if err != nil {
		return nil, nil, fmt.Errorf("object store, which must keep its address: %w", err)
	}
	return s, l, nil
}

// start registers the miners and starts the roles in g.
func (o *Options) start(ctx context.Context, n *network, env node.Env, g *errgroup.Group, c *collect.Collector) (*evaluated, error) {
	client, err := env.Chain(ctx, n.chain(&o.Backends), env.Clock, env.Log)
	if err != nil {
		return nil, err
	}
	members := n.names()
	shares, err := o.share(*n.params, members)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if err := register(ctx, n, client, members); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	e, err := o.evaluate(ctx, n, env, client, c, setMemory(shares, "evaluator-0"))
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	watching, done := context.WithCancel(ctx)
	g.Go(func() error { return watch(watching, client, env) })
	g.Go(func() error {
		defer done()
		defer env.Monitor.Add(e.node, e)()
		return e.Run(ctx)
	})
	for _, m := range members {
		if m.role == telemetry.Evaluator {
			continue
		}
		cfg, err := n.config(m)
		if err != nil {
			return e, err
		}
		cfg.Options.Windows = o.Windows
		cfg.Options.Threads, cfg.Options.Device = o.threads(m.role), o.device(m)
		cfg.Options.Memory = setMemory(shares, m.name)
		cfg.Telemetry.OTLP.URL = o.OTLP
		env := env
		env.Alter = m.corrupt
		g.Go(func() error {
			if err := node.Run(ctx, cfg, m.role, env); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			return nil
		})
	}
	return e, nil
}

// device is that of a node's engine.
func (o *Options) device(m member) string {
	if len(o.Devices) == 0 {
		return ""
	}
	return o.Devices[int(m.uid)%len(o.Devices)]
}

// threads are those of a node's engine: miners train at the same time, and an evaluator measures
// while they wait.
func (o *Options) threads(r telemetry.Role) int {
	if r == telemetry.Evaluator {
		return workers.Cores()
	}
	return max(1, workers.Cores()/o.Miners)
}

// register gives each miner its uid, in order.
func register(ctx context.Context, n *network, c chain.Chain, members []member) error {
	graph, err := c.Metagraph(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.role != telemetry.Miner {
			continue
		}
		w, err := wallet.Load(n.walletPath(), walletName, m.name)
		if err != nil {
			return err
		}
		if _, ok := graph.ByHotkey(w.Hotkey()); ok {
			continue
		}
		r, err := c.Register(ctx, w, chain.Registration{})
		if err != nil {
			return fmt.Errorf("register %s: %w", m.name, err)
		}
		if r.Status == chain.StatusFailed {
			return fmt.Errorf("register %s: the chain refused it: %s", m.name, r.Reason)
		}
	}
	return nil
}

// watch reports each block until ctx ends.
func watch(ctx context.Context, c chain.Chain, env node.Env) error {
	report := telemetry.Reporter{Node: "chain", Clock: env.Clock, Sink: env.Sink}
	b, err := c.Head(ctx)
	for ; err == nil; b, err = c.Wait(ctx, b.Number+1) {
		report.Emit(0, telemetry.Block{Number: b.Number, Time: b.Time})
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
