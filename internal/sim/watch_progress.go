package sim

import (
	"slices"

	"templar/internal/harness"
	"templar/internal/telemetry"
)

// settling is how many windows a node may take to catch up once nothing is wrong any more.
const settling = 8

// windowBegins checks that every node without faults keeps up.
func (w *watch) windowBegins(i int) {
	w.settle()
	trouble := w.net.trouble(i) || i > 0 && w.net.trouble(i-1)
	for _, n := range w.net.nodes {
		if w.quiet(n) || n.running() && !n.absent() && !w.net.troubleOf(n, i) {
			w.undone(n, i)
		}
		if trouble || n.absent() || w.net.troubleOf(n, i) || i > 0 && w.net.troubleOf(n, i-1) {
			n.clean = i + 1
			continue
		}
		if i-n.clean < settling || n.Role == telemetry.Aggregator || n.done {
			continue
		}
		lag := 2
		if n.Role == telemetry.Validator {
			lag += int(w.net.run.Params.ValidatorOffset)
		}
		if at := w.net.index(n.next); at < i-lag {
			w.broken(i, Progress, n, "has only applied window %d, though nothing has been in its way since window %d", at-1, n.clean)
			n.clean = i // once is enough
		}
	}
}

// absent reports whether the script keeps the node away.
func (n *Node) absent() bool { return n.held > 0 || n.gone }

// trouble reports whether a window has a fault that may delay all nodes.
func (n *Network) trouble(window int) bool {
	return slices.ContainsFunc(n.faults.all, func(f *planned) bool {
		if !f.in(window) {
			return false
		}
		switch f.Who {
		case theChain, "nodes", "aggregators":
			return true
		case theStore:
			return f.Of == "" || bucketOf(f.Of) == harness.AggregatorBucket
		}
		return bucketOf(f.Who) == harness.AggregatorBucket
	})
}

// troubleOf reports whether a window has a fault that may delay the node.
func (n *Network) troubleOf(node *Node, window int) bool {
	return slices.ContainsFunc(n.faults.all, func(f *planned) bool {
		return f.in(window) && (f.concerns(node.Name) || f.Who == theStore && f.Of == node.Name)
	})
}

// stragglers are the nodes that should have reached the end of the run and have not.
func (w *watch) stragglers() {
	for _, n := range w.net.nodes {
		if !n.done && !n.absent() {
			w.broken(w.net.window, Progress, n, "has not reached the end of the run: it stands before window %d", w.net.index(n.next))
		}
	}
}
