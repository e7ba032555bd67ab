package sim

import (
	"context"
	"fmt"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/data"
	"templar/internal/harness"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/internal/telemetry"
	"templar/internal/workers"
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
	store  harness.Store
	stores map[string]*connection // of the stores, by bucket
	blocks *blocks
	nodes  []*Node // validators, miners, aggregators

	faults *faults
	watch  *watch // nil: nothing is checked
	states states // that nodes have reported
	cores  cores
	trace  *trace
	stats  Stats

	started bool            // the run's first window is known
	start   protocol.Window // that is
	window  int             // the present one, counted from start; negative before
	began   int64           // when the present window began
	still   int             // steps since time last passed
	over    bool
	err     error // of the simulator itself

	restated map[int][]byte    // by window: the second closing statement that a byzantine aggregator has signed
	shown    map[string][]byte // by key: those that every second miner is shown
	replaced map[uint64]bool   // blocks whose hashes have changed since nodes drew from them
}

const endpoint = "http://store.sim"

// location is where a bucket lies, with the key that reads it or the one that writes.
func location(bucket string, write bool) store.Location {
	return harness.Location(endpoint, bucket, write)
}

func newNetwork(ctx context.Context, c Config) (*Network, error) {
	n := &Network{config: c, ctx: ctx, s: newScheduler(c.Seed+c.ties, c.Threads), window: -1, replaced: make(map[uint64]bool),
		restated: make(map[int][]byte), shown: make(map[string][]byte)}
	n.trace = &trace{net: n, out: c.Trace}
	var err error
	if n.store, err = c.store(n.s.time); err != nil {
		return nil, err
	}
	for _, create := range []func() error{n.createNodes, n.createSite} {
		if err := create(); err != nil {
			return nil, err
		}
	}
	n.faults = newFaults(n, c.Faults, c.Seed)
	if !c.Unwatched {
		n.watch = newWatch(n)
	}
	n.states, n.cores = make(states), newCores(c.Threads)
	n.s.panicked = n.panicked
	return n, nil
}

func (c *Config) store(now func() time.Time) (harness.Store, error) {
	if c.open != nil {
		return c.open(now)
	}
	return mem.New(now), nil
}

func (n *Network) createNodes() error {
	for _, m := range n.config.Nodes() {
		node, err := n.newNode(m)
		if err != nil {
			return err
		}
		n.nodes = append(n.nodes, node)
	}
	return nil
}

// Nodes lists all nodes: those that the chain registers come first, in the order of their uids.
func (c *Config) Nodes() (out []Member) {
	counted := func(r telemetry.Role, count int) {
		for i := range count {
			out = append(out, Member{Name: fmt.Sprintf("%s-%d", r, i), Role: r})
		}
	}
	counted(telemetry.Validator, c.Validators)
	counted(telemetry.Miner, c.Miners)
	for _, m := range c.Members {
		if m.Role == telemetry.Miner {
			out = append(out, m)
		}
	}
	counted(telemetry.Aggregator, c.Aggregators)
	for _, m := range c.Members {
		if m.Role != telemetry.Miner {
			out = append(out, m)
		}
	}
	return out
}

// createSite makes what the nodes share.
func (n *Network) createSite() (err error) {
	if n.owner, err = newSigner(len(n.nodes)); err != nil {
		return err
	}
	c := harness.Config{
		Params: params(n.config.Engine), Tune: n.config.tune, Methods: n.config.Methods, Pool: new(workers.Pool), // processes already compute at once
		Store: n.store, Text: data.Corpus{Name: "text", Text: harness.Text("sim text"), Files: 1}, Now: n.s.time(),
		Genesis: func(g *ledger.Genesis) { g.Authorities = []protocol.Hotkey{n.owner.Hotkey()} },
	}
	if n.config.Params != nil {
		c.Params, c.Text = *n.config.Params, n.config.Corpus
		c.Params.Stores = []string{endpoint}
	}
	for _, node := range n.nodes {
		c.Members = append(c.Members, harness.Member{Name: node.Name, Role: node.Role, Hotkey: node.signer.Hotkey()})
	}
	site, err := harness.Build(n.ctx, c)
	if err != nil {
		return err
	}
	n.run, n.best = site.Run, newBest(site.Run.Params.Seed, site.Run.Space.Size())
	n.stores = map[string]*connection{harness.AggregatorBucket: {}}
	for _, node := range n.nodes {
		n.stores[node.Name] = &connection{}
	}
	n.blocks = &blocks{net: n, chain: site.Chain}
	n.blocks.graph, err = site.Chain.Metagraph(n.ctx)
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
	if n.watch != nil {
		n.watch.windowBegins(n.window)
	}
	n.trace.window(n.window)
	n.faults.change(n.window)
	if err := n.slander(); err != nil {
		n.fail(err)
	}
	if n.config.Progress != nil {
		n.config.Progress(n.window)
	}
}

// event takes what a node reports.
func (n *Network) event(node *Node, e telemetry.Event) {
	n.stats.Events++
	if s, ok := e.Body.(telemetry.Started); ok && !n.started {
		n.started, n.start = true, s.StartWindow
	}
	if n.watch != nil {
		n.watch.event(node, e)
	} else {
		n.follow(node, e)
	}
	n.trace.event(node, e)
	if n.config.Sink != nil {
		n.config.Sink.Emit(e)
	}
}
