package testnet

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

// Start starts the chain and all nodes but those named.
func (n *Network) Start(but ...string) {
	n.t.Helper()
	go n.drive()
	for _, node := range n.nodes {
		if !slices.Contains(but, node.Name) {
			node.Start()
		}
	}
}

// drive makes a block every block time until the test ends.
func (n *Network) drive() {
	for clk.Sleep(n.ctx, n.Run.Params.BlockTime()) == nil {
		if _, err := n.Chain.Advance(time.Now()); err != nil {
			n.t.Error(err)
			return
		}
	}
}

// close stops all nodes and shows their logs if the test has failed.
func (n *Network) close() {
	for _, node := range n.nodes {
		node.Stop()
	}
	if n.t.Failed() {
		n.t.Log("\n" + n.Logs())
	}
}

// patience is how many windows more than asked for RunWindows waits, beside the
// validators' offset: for the start, and for catching up.
const patience = 6

// RunWindows runs the network until every running miner and validator has applied so
// many windows more than at the last call, and fails the test when that takes too long.
func (n *Network) RunWindows(windows int) {
	n.t.Helper()
	n.passed += uint64(windows)
	p := n.Run.Params
	limit := protocol.Window(windows) + protocol.Window(p.ValidatorOffset) + patience
	for range uint64(limit) * p.BlocksPerWindow {
		if n.behind() == "" {
			return
		}
		n.Wait(p.BlockTime())
	}
	n.t.Fatalf("%s has not applied window %d", n.behind(), n.Window(int(n.passed)-1))
}

// Wait lets virtual time pass.
func (n *Network) Wait(d time.Duration) {
	n.t.Helper()
	if err := clk.Sleep(n.ctx, d); err != nil {
		n.t.Fatal(err)
	}
	synctest.Wait()
}

// behind names a node that has not applied the windows that RunWindows waits for.
func (n *Network) behind() string {
	for _, node := range n.nodes {
		if node.Role == telemetry.Aggregator || !node.running() {
			continue
		}
		start, ok := n.events.start()
		if !ok {
			return node.Name
		}
		want := start + protocol.Window(n.passed) - 1
		if applied := slices.Collect(maps.Keys(n.States(node.Name))); len(applied) == 0 || slices.Max(applied) < want {
			return node.Name
		}
	}
	return ""
}

// Window returns the run's i-th window, counted from 0.
func (n *Network) Window(i int) protocol.Window {
	n.t.Helper()
	start, ok := n.events.start()
	if !ok {
		n.t.Fatal("the run has not been announced")
	}
	return start + protocol.Window(i)
}

// States returns the state hashes that a node reported, by window: without those that were not final
// when it went back to another state.
func (n *Network) States(node string) map[protocol.Window]protocol.Hash {
	out := make(map[protocol.Window]protocol.Hash)
	var final protocol.Window
	for _, e := range n.Events(node) {
		switch a := e.Body.(type) {
		case telemetry.Started:
			maps.DeleteFunc(out, func(w protocol.Window, _ protocol.Hash) bool { return w >= final })
		case telemetry.Applied:
			if !a.Provisional {
				out[e.Window], final = a.State, max(final, a.Final)
			}
		}
	}
	return out
}

// RequireSameState fails the test unless all nodes that applied a window hold the same
// parameters after it, and all windows that RunWindows waited for were applied.
func (n *Network) RequireSameState() {
	n.t.Helper()
	first, who := make(map[protocol.Window]protocol.Hash), make(map[protocol.Window]string)
	for _, node := range n.nodes {
		for w, state := range n.States(node.Name) {
			if other, ok := first[w]; ok && other != state {
				n.t.Errorf("window %d: %s holds %s, %s holds %s", w, who[w], other.Short(), node.Name, state.Short())
			}
			first[w], who[w] = state, node.Name
		}
	}
	applied := make(map[protocol.Window]bool)
	for _, node := range n.nodes {
		for w := range Of[telemetry.Applied](n, node.Name) {
			applied[w] = true
		}
	}
	for i := range int(n.passed) {
		if !applied[n.Window(i)] {
			n.t.Errorf("no node applied window %d", n.Window(i))
		}
	}
}

// events is what the nodes have reported.
type events struct {
	mu  sync.Mutex
	all []telemetry.Event
}

func (e *events) add(event telemetry.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) list() []telemetry.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (e *events) start() (protocol.Window, bool) {
	for _, event := range e.list() {
		if s, ok := event.Body.(telemetry.Started); ok {
			return s.StartWindow, true
		}
	}
	return 0, false
}

// Events returns everything that a node has reported.
func (n *Network) Events(node string) []telemetry.Event {
	return slices.DeleteFunc(n.events.list(), func(e telemetry.Event) bool { return e.Node != node })
}

// Of returns a node's events of one kind, by window: the last where there are several.
func Of[T telemetry.Body](n *Network, node string) map[protocol.Window]T {
	out := make(map[protocol.Window]T)
	for _, e := range n.Events(node) {
		if body, ok := e.Body.(T); ok {
			out[e.Window] = body
		}
	}
	return out
}

// Context ends when the test does.
func (n *Network) Context() context.Context { return n.ctx }
