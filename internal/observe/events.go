package observe

import (
	"fmt"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Events tells a sink what is new between looks, so that what shows the events of a network's own nodes can show
// one from outside. Nodes are named after their uids. It is not for concurrent use.
type Events struct {
	Clock clock.Clock
	Sink  telemetry.Sink

	started bool
	block   uint64
	next    protocol.Window // the first Aggregate that was not reported
	judged  protocol.Window // of the last report
	phase   string
}

const aggregatorName = "aggregator"

func (e *Events) node(name string, role telemetry.Role, uid protocol.UID) telemetry.Reporter {
	return telemetry.Reporter{Node: name, Role: role, UID: uid, Clock: e.Clock, Sink: e.Sink}
}

// Report reports a look.
func (e *Events) Report(n *Network, parameters int) {
	aggregator := e.node(aggregatorName, telemetry.Aggregator, 0)
	if n.Start != nil && !e.started {
		e.started = true
		aggregator.Emit(n.Start.Window, telemetry.Started{StartWindow: n.Start.Window, Parameters: parameters})
	}
	if n.Block > e.block {
		e.block = n.Block
		aggregator.Emit(n.Window, telemetry.Block{Number: n.Block})
	}
	if n.Phase != e.phase {
		e.phase = n.Phase
		aggregator.Phase(n.Window, n.Phase)
	}
	for _, v := range n.Validators {
		r := e.node(fmt.Sprintf("validator-%d", v.UID), telemetry.Validator, v.UID)
		if v.Signed > 0 {
			r.Phase(n.Window, fmt.Sprintf("signed %d", v.Signed))
		} else {
			r.Phase(n.Window, "behind")
		}
	}
	for _, m := range n.Miners {
		phase := "not chosen"
		if m.Selected {
			phase = fmt.Sprintf("in %d/%d", m.In, len(n.Windows))
		}
		e.node(fmt.Sprintf("miner-%d", m.UID), telemetry.Miner, m.UID).Phase(n.Window, phase)
	}
	for _, w := range n.Windows {
		if w.Window < e.next {
			continue
		}
		e.next = w.Window + 1
		aggregator.Emit(w.Window, telemetry.Published{Step: w.Step, Bytes: w.Bytes, Included: w.Included, Skipped: w.Skipped, Ours: true})
	}
	if l := n.Loss; l != nil && l.Window > e.judged {
		e.judged = l.Window
		e.node(fmt.Sprintf("validator-%d", l.Validator), telemetry.Validator, l.Validator).Emit(l.Window, telemetry.Scored{Miners: n.scored})
	}
}
