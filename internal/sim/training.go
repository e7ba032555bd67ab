package sim

import (
	"fmt"
	"strings"
	"time"

	"templar/internal/data"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Training makes a network learn (package lab). The zero value is a network for tests: a
// small model, machines on which computing and sending take no time, and all invariants checked.
type Training struct {
	// Params are the run parameters, without stores, aggregators and dataset; nil: those of a small model.
	Params *protocol.Params
	Corpus data.Corpus // to train on; with Params only
	// Members take part beside the counted nodes: miners, with uids after those of the others, and evaluators.
	Members []Member
	// Machine describes a node's machine and its connection; nil: the zero Machine.
	Machine func(node string) Machine
	// Store describes the connection of the store that has a bucket: Up and Down. nil: it has no limit.
	Store func(bucket string) Machine
	// Size is what a body of n bytes counts for on connections, so that a small model can stand for a large one; nil: n.
	Size func(key string, n int64) int64
	// Steps are how long the method's steps take a node.
	Steps Steps
	// Usage puts what an engine has computed, in virtual time, into its node's events.
	Usage bool
	// Sink takes the events of all nodes, one at a time, in an order that depends on the Config alone.
	Sink telemetry.Sink
	// Unwatched leaves the invariants unchecked, but for same-state. Adversaries break some of them.
	Unwatched bool
}

// Member is a node that a Config names.
type Member struct {
	Name   string
	Role   telemetry.Role
	Alter  func(parts.Parts) parts.Parts // changes its parts, when set
	Config role.Config                   // Windows is the run's
	// Ended gets the role, for example an *evaluator.Evaluator, when it has reached the end of the run.
	Ended func(work any)
}

// Machine is how fast a node computes and sends. Zero values take no virtual time.
type Machine struct {
	Speed    float64       // tokens a second that its engine trains on; losses alone take a third of the time
	Up, Down float64       // bits a second to and from the stores
	Latency  time.Duration // one way, beside a few hundredths of a second that every network has
}

func (n *Node) machine() Machine {
	if n.net.config.Machine == nil {
		return Machine{}
	}
	return n.net.config.Machine(n.Name)
}

// states are those that nodes have reported after each window, by the first that did.
type states map[protocol.Window]protocol.Hash

// follow compares the nodes of a network without a watch.
func (n *Network) follow(node *Node, e telemetry.Event) {
	a, ok := e.Body.(telemetry.Applied)
	switch {
	case !ok:
		return
	case a.Provisional:
		n.stats.Provisional++
		return
	}
	n.stats.Applied++
	node.next = e.Window + 1
	if first, known := n.states[e.Window]; !known {
		n.states[e.Window] = a.State
	} else if first != a.State {
		n.stats.Mismatches++
	}
}

// violations are those that the watch has found.
func (n *Network) violations() []Violation {
	if n.watch == nil {
		return nil
	}
	return n.watch.violations
}

// reached is how many windows have an Aggregate, and the state after them.
func (n *Network) reached() (windows int, state protocol.Hash) {
	if n.watch != nil {
		windows = len(n.watch.published)
		return windows, n.watch.states[windows]
	}
	for w, s := range n.states {
		if i := n.index(w) + 1; i > windows {
			windows, state = i, s
		}
	}
	return windows, state
}

// late is what nodes that have not reached the end in time mean.
func (n *Network) late() error {
	if n.watch != nil {
		n.watch.stragglers()
		return nil
	}
	var late []string
	for _, node := range n.nodes {
		if !node.done && !node.gone {
			late = append(late, fmt.Sprintf("%s stands before window %d", node.Name, n.index(node.next)))
		}
	}
	return fmt.Errorf("%d windows after the end of the run: %s: give the machines more speed or the windows more blocks", grace, strings.Join(late, ", "))
}
