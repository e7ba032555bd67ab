package memory

import (
	"fmt"
	"strings"

	"templar/internal/run"
	"templar/internal/telemetry"
)

// Item is something that a node holds in memory.
type Item struct {
	What  string
	Bytes int64
}

// Plan is all that a node holds at the same time.
type Plan []Item

const (
	program = 96 << 20 // the program, its connections and what the garbage collector has not taken back
	// aheadBytes and maxRound bound the Aggregates that a node holds while it catches up: see
	// package replica.
	aheadBytes = 1 << 30
	maxRound   = 16
)

// Of is what a role of a run holds, beside the buffers of its engine.
func Of(role telemetry.Role, r run.Run) Plan {
	vector := 4 * int64(r.Params.Model.Layout().Size())
	peers, m := int64(r.Params.MaxTopKPeers), r.Method
	p := Plan{{"program", program}}
	add := func(what string, bytes int64) { p = append(p, Item{what, bytes}) }
	if role != telemetry.Aggregator {
		add("parameters", vector)
		add("updates", 2*m.MaxUpdate*Round(m.MaxUpdate))
	}
	switch role {
	case telemetry.Miner:
		add(fmt.Sprintf("training (%d vectors)", m.Vectors), int64(m.Vectors)*vector)
		add("provisional parameters", vector)
		add("own payload", 2*m.MaxPayload)
		add("gradients, sealed and opened", 2*peers*m.MaxPayload) // when it gathers itself
	case telemetry.Validator:
		add("trial step", vector/16) // about a parameter in a hundred is kept aside
		add("gradients, sealed and opened", 2*(peers+int64(r.Params.UIDsPerWindow+r.Params.UnprovenPerWindow))*m.MaxPayload)
	case telemetry.Aggregator:
		add("gradients, sealed and opened", 2*peers*m.MaxPayload)
		add("archiving", m.MaxPayload) // a copy of one at a time
		add("updates", 2*m.MaxUpdate)
	}
	return p
}

// Round is the number of Aggregates of at most size bytes that a node fetches at once while it applies as
// many.
func Round(size int64) int64 { return max(1, min(maxRound, aheadBytes/2/max(1, size))) }

// Total is the sum of the plan, in bytes.
func (p Plan) Total() (sum int64) {
	for _, i := range p {
		sum += i.Bytes
	}
	return sum
}

// String lists the items of more than a hundredth of the total.
func (p Plan) String() string {
	var words []string
	for _, i := range p {
		if i.Bytes > p.Total()/100 {
			words = append(words, i.What+" "+Format(i.Bytes))
		}
	}
	return strings.Join(words, ", ")
}

// Left is what a budget leaves for the engine's buffers; 0, no bound, when the budget is 0. A
// budget that leaves nothing is an error that states what is needed.
func (p Plan) Left(role telemetry.Role, budget int64) (int64, error) {
	if budget == 0 {
		return 0, nil
	}
	left := budget - p.Total()
	if left <= 0 {
		return 0, fmt.Errorf("memory: a %s of this run holds %s (%v), and may use %s: raise --memory, or take a machine with more", role, Format(p.Total()), p, Format(budget))
	}
	return left, nil
}
