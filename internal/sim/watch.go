package sim

import (
	"fmt"
	"slices"

	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Invariant is something that must hold whatever goes wrong.
type Invariant string

// The invariants.
const (
	SameState    Invariant = "same-state"    // a node's parameters are those that the chain of Aggregates gives
	InOrder      Invariant = "in-order"      // a node applies every window, one after the other
	OneAggregate Invariant = "one-aggregate" // a window has one, and no node applies another
	Unbroken     Invariant = "unbroken"      // each Aggregate names the one before it, and the rate is the run's
	Sum          Invariant = "sum"           // an Aggregate is what the gradients that it names add up to
	Members      Invariant = "members"       // they are of selected peers, in time, as the peers stored them
	Counted      Invariant = "counted"       // what a selected peer stored in time is in
	Honest       Invariant = "honest"        // audits find the falsified Aggregates, and no others
	Sealed       Invariant = "sealed"        // a window has one closing statement, and no key is revealed before it
	Samples      Invariant = "samples"       // a sync sample shows the committed state, and its hash
	Checkpoints  Invariant = "checkpoints"   // a checkpoint is whole, and holds the committed state
	Private      Invariant = "private"       // private state outlives a restart
	Scores       Invariant = "scores"        // so do scores, and no window is scored twice
	Progress     Invariant = "progress"      // a node without faults keeps up
	Robust       Invariant = "robust"        // no role panics
)

// Violation is an invariant that did not hold.
type Violation struct {
	Window    int       `json:"window"` // counted from the run's first
	Invariant Invariant `json:"invariant"`
	Node      string    `json:"node,omitempty"`
	What      string    `json:"what"`
}

func (v Violation) String() string {
	who := ""
	if v.Node != "" {
		who = v.Node + ": "
	}
	return fmt.Sprintf("window %d: %s: %s%s", v.Window, v.Invariant, who, v.What)
}

// watch follows the run from outside, with parameters of its own, and holds what nodes
// store and say against them.
type watch struct {
	net        *Network
	violations []Violation

	published []published
	states    []protocol.Hash // before the window of the same index; one more than published
	params    [][]float32     // likewise
	uploads   map[upload]stored
	closings  map[int][]byte  // closing statements
	lists     []wire.PeerList // that validators have posted
	scored    map[*Node]protocol.Window
	books     map[*Node]books
	counts    map[*Node]uint64 // that a miner has saved in its private state
	at        map[*Node]protocol.Window
	auditor   *auditor
}

// published is the Aggregate of a window.
type published struct {
	*run.Aggregate
	hash protocol.Hash
}

func newWatch(n *Network) *watch {
	theta0 := model.Init(n.run.Params.Model, n.run.Params.Seed)
	return &watch{
		net: n, states: []protocol.Hash{n.run.Space.Hash(theta0)}, params: [][]float32{theta0},
		uploads: make(map[upload]stored), closings: make(map[int][]byte), scored: make(map[*Node]protocol.Window),
		books: make(map[*Node]books), counts: make(map[*Node]uint64), at: make(map[*Node]protocol.Window),
		auditor: newAuditor(n.run),
	}
}

// maxViolations is where the list of them ends.
const maxViolations = 20

func (w *watch) broken(window int, i Invariant, n *Node, format string, args ...any) {
	v := Violation{Window: window, Invariant: i, What: fmt.Sprintf(format, args...)}
	if n != nil {
		v.Node = n.Name
	}
	if len(w.violations) < maxViolations {
		w.violations = append(w.violations, v)
		w.net.trace.line("VIOLATION %v", v)
	}
}

// state returns the hash of the parameters before a window, as far as they are known.
func (w *watch) state(window protocol.Window) (protocol.Hash, bool) {
	i := w.net.index(window)
	if i < 0 || i >= len(w.states) {
		return protocol.Hash{}, false
	}
	return w.states[i], true
}

// holds checks a claim of the parameters that stand before a window.
func (w *watch) holds(i Invariant, n *Node, before protocol.Window, got protocol.Hash, what string) {
	want, known := w.state(before)
	switch {
	case !known:
		w.broken(w.net.window, i, n, "%s is of window %d, for which there is no Aggregate yet", what, w.net.index(before))
	case got != want:
		w.broken(w.net.index(before), i, n, "%s has state %s, the chain of Aggregates gives %s", what, got.Short(), want.Short())
	}
}

// event takes an event of a node.
func (w *watch) event(n *Node, e telemetry.Event) {
	switch body := e.Body.(type) {
	case telemetry.Started:
		w.begins(n, e.Window, body)
	case telemetry.Applied:
		if body.Provisional {
			w.net.stats.Provisional++
			return
		}
		w.applied(n, e.Window, body)
	case telemetry.Audited:
		w.audited(n, e.Window, body)
	case telemetry.Scored:
		if last, ok := w.scored[n]; ok && e.Window <= last {
			w.broken(w.net.index(e.Window), Scores, n, "scores the window again after window %d", w.net.index(last))
		}
		w.scored[n] = e.Window
	}
}

func (w *watch) begins(n *Node, next protocol.Window, s telemetry.Started) {
	if s.StartWindow != w.net.start {
		w.broken(w.net.window, OneAggregate, n, "starts a run from window %d, the others from %d", s.StartWindow, w.net.start)
	}
	w.holds(SameState, n, next, s.StateHash, "the restored model")
	w.at[n], n.next = next, next
}

func (w *watch) applied(n *Node, window protocol.Window, a telemetry.Applied) {
	i := w.net.index(window)
	w.net.stats.Applied++
	if window != w.at[n] {
		w.broken(i, InOrder, n, "applies the window when it stands before window %d", w.net.index(w.at[n]))
	}
	w.at[n], n.next = window+1, window+1
	if i >= 0 && i < len(w.published) && w.published[i].hash != a.Aggregate {
		w.broken(i, OneAggregate, n, "applies Aggregate %s, published was %s", a.Aggregate.Short(), w.published[i].hash.Short())
	}
	if want, known := w.state(window + 1); known && want != a.State {
		w.net.stats.Mismatches++
	}
	w.holds(SameState, n, window+1, a.State, "the model after the window")
	if a.Step != uint64(i) {
		w.broken(i, InOrder, n, "counts it as step %d", a.Step)
	}
}

// audited holds a validator's verdict against the script.
func (w *watch) audited(n *Node, window protocol.Window, a telemetry.Audited) {
	i := w.net.index(window)
	falsified := w.net.falsified(i)
	switch {
	case falsified && a.Honest:
		w.broken(i, Honest, n, "finds no fault with a falsified Aggregate")
	case !falsified && !a.Honest:
		w.broken(i, Honest, n, "reports a correct Aggregate as falsified")
	}
}

// falsified reports whether the Aggregate of a window has a wrong sum or wrong members.
// Every node refuses an Aggregate that is falsified in another way.
func (n *Network) falsified(window int) bool {
	for _, node := range n.nodes {
		if topic := n.faults.falsifies(node, window); topic == "sum" || topic == "members" || topic == "closing" {
			a := n.watch.published[window]
			return a.Aggregator == node.signer.Hotkey() && (len(a.Included) > 0 || topic == "closing")
		}
	}
	return false
}

// settle takes what the audits of the windows so far have found.
func (w *watch) settle() {
	for _, v := range w.auditor.settle() {
		w.broken(v.Window, v.Invariant, nil, "%s", v.What)
	}
}

// finish ends the audits and sorts what was found.
func (w *watch) finish() {
	w.settle()
	w.auditor.close()
	slices.SortStableFunc(w.violations, func(a, b Violation) int { return a.Window - b.Window })
}
