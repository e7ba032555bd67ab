package sim

import (
	"context"
	"errors"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/manual"
	"templar/internal/data"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/internal/telemetry"
	"templar/internal/toy"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// Network is a network in simulation.
type Network struct {
	config Config
	ctx    context.Context
	s      *scheduler
	run    run.Run
	best   []float32 // of the cheap engine
	owner  *signer   // of the chain: it may give stake
	store  objectStore
	blocks *blocks
	nodes  []*Node // validators, miners, aggregators

	weather *weather
	watch   *watch
	trace   *trace
	stats   Stats

	started bool            // the run's first window is known
	start   protocol.Window // that is
	window  int             // the present one, counted from start; negative before
	began   int64           // when the present window began
	still   int             // steps since time last passed
	over    bool
	err     error // of the simulator itself

	replaced map[uint64]bool // blocks whose hashes have changed since nodes drew from them
}

// objectStore is where all public buckets are.
type objectStore interface {
	store.Dialer
	CreateBucket(name string) error
	AddKeys(keys ...store.Key) error
}

const (
	endpoint         = "http://store.sim"
	aggregatorBucket = "aggregator"
	datasetBucket    = "dataset"
)

// location is where a bucket lies, with the key that reads it or the one that writes.
func location(bucket string, write bool) store.Location { return toy.Location(endpoint, bucket, write) }

func newNetwork(ctx context.Context, c Config) (*Network, error) {
	n := &Network{config: c, ctx: ctx, s: newScheduler(c.Seed+c.ties, c.Threads), window: -1, replaced: make(map[uint64]bool)}
	n.trace = &trace{net: n, out: c.Trace}
	var err error
	if n.store, err = c.store(n.s.time); err != nil {
		return nil, err
	}
	for _, create := range []func() error{n.createNodes, n.createBuckets, n.createRun, n.createChain} {
		if err := create(); err != nil {
			return nil, err
		}
	}
	n.weather = newWeather(n, c.Faults, c.Seed)
	n.watch = newWatch(n)
	n.s.panicked = n.panicked
	return n, nil
}

func (c *Config) store(now func() time.Time) (objectStore, error) {
	if c.open != nil {
		return c.open(now)
	}
	return mem.New(now), nil
}

func (n *Network) createNodes() error {
	c := n.config
	for _, group := range []struct {
		role  telemetry.Role
		count int
	}{{telemetry.Validator, c.Validators}, {telemetry.Miner, c.Miners}, {telemetry.Aggregator, c.Aggregators}} {
		for i := range group.count {
			node, err := n.newNode(group.role, i)
			if err != nil {
				return err
			}
			n.nodes = append(n.nodes, node)
		}
	}
	return nil
}

func (n *Network) createBuckets() error {
	names := []string{datasetBucket, aggregatorBucket}
	for _, node := range n.nodes {
		if node.Role != telemetry.Aggregator {
			names = append(names, node.Name)
		}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, toy.CreateBucket(n.store, name))
	}
	return errors.Join(errs...)
}

func (n *Network) createRun() error {
	p := params(n.config.Engine)
	for _, node := range n.nodes {
		if node.Role == telemetry.Aggregator {
			p.Aggregators = append(p.Aggregators, node.signer.Hotkey())
		}
	}
	bucket, err := n.store.Dial(location(datasetBucket, true))
	if err != nil {
		return err
	}
	corpus := data.Corpus{Name: "text", Text: toy.Text("sim text"), Files: 1}
	if _, p.DatasetHash, err = data.Build(n.ctx, bucket, corpus, data.Bytes{}, data.BuildOptions{PageTokens: p.PageTokens}); err != nil {
		return err
	}
	if n.config.tune != nil {
		n.config.tune(&p)
	}
	if n.run, err = run.NewWith(p, n.methods(), workers.Pool{}); err != nil { // processes already compute at once
		return err
	}
	n.best = newBest(p.Seed, n.run.Space.Size())
	return nil
}

func (n *Network) methods() method.Factories {
	if n.config.Methods != nil {
		return n.config.Methods
	}
	return toy.Methods()
}

func (n *Network) createChain() (err error) {
	if n.owner, err = newSigner(len(n.nodes)); err != nil {
		return err
	}
	var members []toy.Member
	for _, node := range n.nodes {
		members = append(members, toy.Member{Role: node.Role, Hotkey: node.signer.Hotkey()})
	}
	g := toy.Genesis("sim", n.run.Params, members)
	g.Authorities = []protocol.Hotkey{n.owner.Hotkey()}
	c, err := manual.New(g, n.s.time())
	if err != nil {
		return err
	}
	n.blocks = &blocks{net: n, chain: c}
	n.blocks.graph, err = c.Metagraph(n.ctx)
	return err
}

// index counts a window from the run's first.
func (n *Network) index(w protocol.Window) int { return int(w) - int(n.start) }

// newBlock looks at whether a window begins.
func (n *Network) newBlock(b chain.Block) {
	p := n.run.Params
	w := p.WindowOf(b.Number)
	if !n.started || w < n.start || p.FirstBlock(w) != b.Number {
		return
	}
	n.began, n.window = n.s.now, n.index(w)
	n.watch.windowBegins(n.window)
	n.trace.window(n.window)
	n.weather.change(n.window)
	if n.config.Progress != nil {
		n.config.Progress(n.window)
	}
}

// event takes what a node reports.
func (n *Network) event(node *Node, e telemetry.Event) {
	n.stats.Events++
	n.watch.event(node, e)
	n.trace.event(node, e)
}
