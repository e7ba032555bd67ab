package sim

import (
	"log/slog"

	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/telemetry"
)

func (n *Node) work(p *process) error {
	d, err := n.deps(p)
	if err != nil {
		return err
	}
	if d.Engine != nil {
		defer d.Engine.Close()
	}
	work, err := d.Work(n.Role, role.Config{Windows: uint64(n.net.config.Windows)})
	if err != nil {
		return err
	}
	return work.Run(p.ctx)
}

// deps are the parts of a process, as package node assembles them.
func (n *Node) deps(p *process) (parts.Parts, error) {
	net := n.net
	clk, view, buckets := nodeClock{p, &n.ahead}, chainView{n, p}, dialer{n, p}
	sink := &sink{node: n, process: p}
	d := parts.Parts{
		Run: net.run, Clock: clk, Chain: view, Signer: n.signer, UID: n.UID,
		Directory: directory.New(net.run.Params, view, buckets),
		Local:     &disk{Bucket: n.files, node: n, process: p}, Log: slog.New(slog.DiscardHandler),
		Events: telemetry.Reporter{Node: n.Name, Role: n.Role, UID: n.UID, Clock: clk, Sink: sink},
	}
	var err error
	if d.Aggregator, err = n.own(buckets, aggregatorBucket, n.Role == telemetry.Aggregator, clk); err != nil {
		return d, err
	}
	if n.Role == telemetry.Aggregator {
		d.Aggregator = liar{d.Aggregator, n}
	} else if err := n.openModel(&d, buckets); err != nil {
		return d, err
	}
	if net.config.alter != nil {
		net.config.alter(n, p, &d)
	}
	return d, nil
}

// own opens a bucket with retries.
func (n *Node) own(buckets dialer, name string, write bool, clk nodeClock) (store.Bucket, error) {
	b, err := buckets.Dial(location(name, write))
	if err != nil {
		return nil, err
	}
	return store.Retry(b, store.RetryPolicy{Rand: n.rand.Float64}, clk), nil
}

// openModel opens what a node that holds the model needs beside. The dataset is the same
// for everybody and no subject of a simulation: reading it takes no time.
func (n *Node) openModel(d *parts.Parts, buckets dialer) (err error) {
	clk := nodeClock{buckets.process, &n.ahead}
	d.Commitment = directory.Commitment{Role: n.Role, Location: location(n.Name, false)}
	if d.Own, err = n.own(buckets, n.Name, true, clk); err != nil {
		return err
	}
	if d.OwnAsPeer, err = n.own(buckets, n.Name, false, clk); err != nil {
		return err
	}
	if d.Engine, err = n.net.newEngine(); err != nil {
		return err
	}
	text, err := n.net.store.Dial(location(datasetBucket, false))
	if err != nil {
		return err
	}
	d.Data, err = data.Open(detached(buckets.process.ctx), text, n.net.run.Params.DatasetHash)
	return err
}

func (n *Network) newEngine() (engine.Engine, error) {
	if n.config.Engine == Real {
		return n.config.NewEngine(n.run.Params.Model)
	}
	return newCheap(n.run.Space.Layout(), n.best), nil
}
