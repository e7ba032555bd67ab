package sim

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"

	"templar/internal/engine"
	"templar/internal/harness"
	"templar/internal/parts"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

func (n *Node) work(p *process) error {
	d, err := n.parts(p)
	if err != nil {
		return err
	}
	defer d.Close()
	c := n.member.Config
	c.Windows = uint64(n.net.config.Windows)
	work, err := d.Work(n.Role, c)
	if err != nil {
		return err
	}
	if err = work.Run(p.ctx); err == nil && n.member.Ended != nil {
		n.member.Ended(work)
	}
	return err
}

// manyRequests is more than a node ever makes at a time: a task that waited for another's
// to end would wait where the scheduler does not see it.
const manyRequests = 1 << 12

// parts are those of a process.
func (n *Node) parts(p *process) (parts.Parts, error) {
	net := n.net
	var own store.Location // an evaluator publishes nothing here
	if parts.Of(n.Role).Member {
		own = location(n.Name, true)
	}
	d, err := parts.Build(detached(p.ctx), parts.Spec{
		Name: n.Name, Role: n.Role, Needs: parts.Of(n.Role), Run: net.run, Signer: n.signer, UID: n.UID,
		Clock: nodeClock{p, &n.ahead}, Chain: chainView{n, p}, Engine: n.engine(p), Local: n.disk(p),
		Random: rand.NewChaCha8(n.keySeed()),
		Log:    slog.New(slog.DiscardHandler), Sink: &sink{node: n, process: p},
		Buckets: parts.Buckets{
			Dialer: net.store, Disturb: n.remote(p), Retry: store.RetryPolicy{Rand: n.rand.Float64}, Requests: manyRequests,
			Aggregator: location(harness.AggregatorBucket, n.Role == telemetry.Aggregator),
			Own:        own, AsPeer: location(n.Name, false), Dataset: []store.Location{location(harness.DatasetBucket, false)},
		},
	})
	if err != nil {
		return d, err
	}
	d.Run.Method = net.config.Steps.slow(p, d.Run.Method)
	if n.Role == telemetry.Aggregator {
		d.Aggregator = byzantine{d.Aggregator, n}
	}
	if n.Role == telemetry.Miner {
		d.Own = lying{d.Own, n}
	}
	if n.Role == telemetry.Miner && n.UID%2 == 1 {
		d.Aggregator = shown{d.Aggregator, net}
	}
	if e, ok := d.Engine.(*timed); ok && net.config.Usage {
		d.Events.Usage = func() telemetry.Usage { return telemetry.Usage(e.Usage()) }
	}
	if n.member.Alter != nil {
		d = n.member.Alter(d)
	}
	if net.config.alter != nil {
		net.config.alter(n, p, &d)
	}
	return d, nil
}

// engine makes an engine for a process of the node.
func (n *Node) engine(p *process) func(protocol.Model) (engine.Engine, error) {
	return func(m protocol.Model) (engine.Engine, error) {
		var e engine.Engine = newCheap(n.net.run.Space.Layout(), n.net.best)
		if n.net.config.Engine == Real {
			var err error
			if e, err = n.net.config.NewEngine(n.Name, m); err != nil {
				return nil, err
			}
		}
		if n.machine().Speed == 0 {
			return e, nil
		}
		return &timed{Engine: e, process: p, node: n}, nil
	}
}

// keySeed is that of the keys which a process draws: each process of the node draws others.
func (n *Node) keySeed() (seed [32]byte) {
	binary.LittleEndian.PutUint64(seed[:], hash64(n.net.config.Seed, n.Name, "keys"))
	seed[8] = byte(n.starts)
	return seed
}
