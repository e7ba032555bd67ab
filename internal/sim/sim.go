package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"templar/internal/engine"
	"templar/internal/harness"
	"templar/internal/parts"
	"templar/method"
	"templar/protocol"
)

// Engine is what computes losses and gradients.
type Engine string

// The engines.
const (
	Cheap Engine = "cheap" // a quadratic with the same interface, for scale
	Real  Engine = "real"  // the LLaMA on the CPU
)

// Config describes a network to simulate and its faults. Two runs of the same
// Config are the same, whatever Threads is.
type Config struct {
	Seed        uint64
	Windows     int
	Miners      int
	Validators  int
	Aggregators int // the first publishes, the others stand by
	Engine      Engine
	// NewEngine makes a node's engine, of one thread, for Engine Real.
	NewEngine func(node string, m protocol.Model) (engine.Engine, error)
	Faults    Script
	Threads   int              // nodes that compute at once
	Methods   method.Factories // nil: harness.Methods

	Training // for a network that learns rather than one that is tested

	Trace    io.Writer        // the trace, when set
	Progress func(window int) // called when a window begins, when set

	// alter changes a process's parts before its role gets them: bugs are planted here.
	alter func(*Node, *process, *parts.Parts)
	// tune changes the run parameters.
	tune func(*protocol.Params)
	// open makes the store, when it is not to be in memory.
	open func(now func() time.Time) (harness.Store, error)
	// ties is added to the seed that orders what happens at the same instant.
	ties uint64
}

// Stats count what happened.
type Stats struct {
	Applied     int    `json:"applied"`    // windows, by nodes
	Mismatches  int    `json:"mismatches"` // of these, those with other parameters than the chain of Aggregates gives
	Provisional int    `json:"provisional"`
	Final       int    `json:"final"`  // windows, for some node
	Undone      int    `json:"undone"` // times that a node left an Aggregate that was false or replaced
	Crashes     int    `json:"crashes"`
	Failures    int    `json:"failures"` // processes that gave up and were started again
	Events      int    `json:"events"`
	Segments    uint64 `json:"segments"` // of computing between two waits
}

// Result is how a run ended.
type Result struct {
	Seed       uint64        `json:"seed"`
	Windows    int           `json:"windows"` // that have an Aggregate
	State      protocol.Hash `json:"state_hash"`
	Violations []Violation   `json:"violations,omitempty"`
	Virtual    time.Duration `json:"virtual_ns"`
	Stats
	Digest string `json:"trace_digest"` // of the whole trace
}

// Failed reports whether an invariant did not hold.
func (r *Result) Failed() bool { return len(r.Violations) > 0 }

// Run simulates a network. An error means that the simulator could not do its work, or
// that ctx ended; what is wrong with the network stands in the Result.
func Run(ctx context.Context, c Config) (Result, error) {
	if err := c.Check(); err != nil {
		return Result{}, err
	}
	digest := sha256.New()
	c.Trace = tee(digest, c.Trace)
	n, err := newNetwork(detached(ctx), c)
	if err != nil {
		return Result{}, fmt.Errorf("build the network: %w", err)
	}
	n.trace.order = digest
	err = errors.Join(n.live(ctx), n.drain())
	n.trace.flush()
	if n.watch != nil {
		n.watch.finish()
	}
	return n.result(digest), err
}

func tee(digest hash.Hash, out io.Writer) io.Writer {
	if out == nil {
		return digest
	}
	return io.MultiWriter(digest, out)
}

// Check returns what is wrong with a Config.
func (c *Config) Check() error {
	switch {
	case c.Windows < 1 || c.Windows > maxWindow:
		return fmt.Errorf("%d windows: want 1 to %d", c.Windows, maxWindow)
	case c.Miners < 1 || c.Validators < 1 || c.Aggregators < 1 || c.Miners+c.Validators+c.Aggregators > 4000:
		return fmt.Errorf("%d miners, %d validators, %d aggregators: want one of each, and no more than 4000 together", c.Miners, c.Validators, c.Aggregators)
	case c.Engine != Cheap && c.Engine != Real:
		return fmt.Errorf("engine %q: want %q or %q", c.Engine, Cheap, Real)
	case c.Engine == Real && c.NewEngine == nil:
		return fmt.Errorf("engine %q: this build has none", c.Engine)
	}
	for _, f := range c.Faults {
		if !c.has(f.Who) || !c.has(f.Of) {
			return fmt.Errorf("%q: the network has no such node", f)
		}
	}
	return nil
}

// grace is how many windows the run may take beyond its own.
const grace = 12

// live runs the network until all nodes have reached the end, or time is up.
func (n *Network) live(ctx context.Context) error {
	n.s.after(n.run.Params.BlockTime(), n.blocks.next)
	for _, node := range n.nodes {
		if n.faults.joinsLater(node) {
			node.held = 1
			continue
		}
		node.run()
	}
	for !n.finished() && len(n.violations()) == 0 { // later ones follow from the first
		if err := errors.Join(ctx.Err(), n.advance()); err != nil {
			return err
		}
		if n.window > n.config.Windows+grace || !n.started && n.s.now > int64(grace*n.run.Params.WindowTime()) {
			return n.late()
		}
	}
	return nil
}

// enough steps are more than any instant takes, and than all tasks need to end.
const enough = 1_000_000

// advance is a step that must lead somewhere.
func (n *Network) advance() error {
	before := n.s.now
	if !n.s.step() {
		return errors.New("nothing will ever happen again")
	}
	if n.still++; n.s.now > before {
		n.still = 0
	}
	if n.still > enough {
		return errors.New("time stands still: a role asks again and again without waiting")
	}
	return n.err
}

// finished reports whether every node has reached the end or left.
func (n *Network) finished() bool {
	for _, node := range n.nodes {
		if !node.done && !node.gone {
			return false
		}
	}
	return true
}

// drain ends all tasks.
func (n *Network) drain() error {
	n.over = true
	for _, node := range n.nodes {
		if node.process != nil {
			node.process.kill()
			n.s.interrupt(node.process)
		}
	}
	for range enough {
		if n.s.tasks == 0 {
			return nil
		}
		if !n.s.step() {
			break
		}
	}
	return fmt.Errorf("%d tasks do not end after they were cancelled", n.s.tasks)
}

func (n *Network) result(digest hash.Hash) Result {
	n.stats.Segments = n.s.segments
	windows, state := n.reached()
	return Result{
		Seed: n.config.Seed, Windows: windows, State: state, Violations: n.violations(),
		Virtual: time.Duration(n.s.now), Stats: n.stats, Digest: hex.EncodeToString(digest.Sum(nil)[:8]),
	}
}
