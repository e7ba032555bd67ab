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
	OneAggregate Invariant = "one-aggregate" // a window and term has one, and no node applies another
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
	Final        Invariant = "final"         // no false state becomes final, and what is final is not undone
	Undone       Invariant = "undone"        // what is false, or is not the network's, is undone within five windows
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

	links     map[protocol.Hash]*vertex // every Aggregate that was published
	published []*vertex                 // those that count, by window: of the highest term
	states    []protocol.Hash           // before the window of the same index; one more than published
	params    [][]float32               // likewise
	heads     map[*Node]*vertex         // the Aggregate that a node applied last; nil: it has just restored
	finals    map[int]*vertex           // by window: what a node has found final
	uploads   map[upload]stored
	closings  map[int][]byte  // closing statements
	lists     []wire.PeerList // that validators have posted
	scored    map[*Node]protocol.Window
	books     map[*Node]books
	counts    map[*Node]uint64 // that a miner has saved in its private state
	at        map[*Node]protocol.Window
	auditor   *auditor
}

// vertex is a published Aggregate.
type vertex struct {
	*run.Aggregate
	hash   protocol.Hash
	window int
	before *vertex // nil: the first, or what it names is unknown
	params []float32
	state  protocol.Hash // after it
	topic  string        // what is false about it; "" if nothing is
	at     int           // the window in which it was published
}

// lie returns the first false Aggregate on the way to l; nil if there is none. One of two Aggregates or closing
// statements of one window may be true.
func (l *vertex) lie() *vertex {
	var first *vertex
	for ; l != nil; l = l.before {
		if l.topic != "" && l.topic != "conflict" && l.topic != "statements" {
			first = l
		}
	}
	return first
}

// doubtful reports whether l is false, or one of two, or follows such a one.
func (l *vertex) doubtful() bool {
	for ; l != nil; l = l.before {
		if l.topic != "" {
			return true
		}
	}
	return false
}

func newWatch(n *Network) *watch {
	theta0 := model.Init(n.run.Params.Model, n.run.Params.Seed)
	return &watch{
		net: n, states: []protocol.Hash{n.run.Space.Hash(theta0)}, params: [][]float32{theta0},
		links: make(map[protocol.Hash]*vertex), heads: make(map[*Node]*vertex), finals: make(map[int]*vertex),
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
	if h := w.heads[n]; h != nil && n.next > next {
		w.net.stats.Undone++
	}
	w.at[n], n.next, w.heads[n] = next, next, nil
}

func (w *watch) applied(n *Node, window protocol.Window, a telemetry.Applied) {
	i := w.net.index(window)
	w.net.stats.Applied++
	if window != w.at[n] {
		w.broken(i, InOrder, n, "applies the window when it stands before window %d", w.net.index(w.at[n]))
	}
	w.at[n], n.next = window+1, window+1
	if a.Step != uint64(i) {
		w.broken(i, InOrder, n, "counts it as step %d", a.Step)
	}
	l := w.links[a.Aggregate]
	if l == nil || l.window != i {
		w.broken(i, OneAggregate, n, "applies Aggregate %s, which was not published", a.Aggregate.Short())
		return
	}
	if l.state != a.State {
		w.net.stats.Mismatches++
		w.broken(i, SameState, n, "the model after the window has state %s, the chain of Aggregates gives %s", a.State.Short(), l.state.Short())
	}
	if h := w.heads[n]; h != nil && l.before != h {
		w.broken(i, Unbroken, n, "applies an Aggregate that follows another than the one it applied before")
	}
	w.heads[n] = l
	w.final(n, l, a)
}

// final takes what a node that has applied l calls final.
func (w *watch) final(n *Node, l *vertex, a telemetry.Applied) {
	i := w.net.index(a.Final) - 1
	if a.FinalState.IsZero() || i < 0 {
		return
	}
	for l != nil && l.window > i {
		l = l.before
	}
	switch {
	case l == nil:
		return
	case l.state != a.FinalState:
		w.broken(i, Final, n, "calls the state %s final, the Aggregates that it applied give %s", a.FinalState.Short(), l.state.Short())
	case l.lie() != nil:
		w.broken(i, Final, n, "calls a state final after the false Aggregate of window %d", l.lie().window)
	case w.finals[i] != nil && w.finals[i] != l:
		w.broken(i, Final, n, "calls another state final than a node did before")
	}
	if w.published[i] != l { // of two Aggregates of a window, this one counts
		w.adopt(l)
	}
	for ; l != nil && w.finals[l.window] == nil; l = l.before {
		w.finals[l.window] = l
		w.net.stats.Final++
	}
}

// undone checks that no honest node stays for longer than five windows with what is false, or with what
// has been replaced.
func (w *watch) undone(n *Node, now int) {
	const most = 5
	l := w.heads[n]
	if l == nil || n.done {
		return
	}
	since := -1
	if lie := l.lie(); lie != nil {
		since = lie.at
	} else {
		for ; l != nil && (l.window >= len(w.published) || w.published[l.window] != l); l = l.before {
			if l.window < len(w.published) { // else it is replaced, and the window not published again yet
				since = w.published[l.window].at
			}
		}
	}
	if since >= 0 && now-since > most {
		w.broken(now, Undone, n, "holds a state for %d windows that is false or was replaced", now-since)
	}
}

// audited holds a validator's verdict against the script.
func (w *watch) audited(n *Node, window protocol.Window, a telemetry.Audited) {
	i := w.net.index(window)
	lied := false
	for _, l := range w.links {
		lied = lied || l.window <= i && i-l.window <= settling && l.topic != "" // what follows a lie is no better
	}
	if !lied && !a.Honest {
		w.broken(i, Honest, n, "reports a correct Aggregate as falsified")
	}
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
