package memory

import (
	"fmt"
	"strings"

	"templar/internal/engine"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
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

// Place is where an engine holds the model's state.
type Place int

// The places.
const (
	Host   Place = iota // in this process's memory
	Device              // elsewhere: what is compressed too
)

// Of is what a role of a run holds in this machine's memory, beside the buffers of its engine.
func Of(role telemetry.Role, r run.Run, at Place) Plan {
	layout := r.Params.Model.Layout()
	vector := 4 * int64(layout.Size())
	peers, m := int64(r.Params.MaxTopKPeers), r.Method
	p := Plan{{"program", program}}
	add := func(what string, bytes int64) { p = append(p, Item{what, bytes}) }
	there := at == Device && len(m.Compression.Chunks) > 0
	if role != telemetry.Aggregator {
		add("parameters", vector)
		add("updates", 2*m.MaxUpdate*Round(m.MaxUpdate))
	}
	switch role {
	case telemetry.Miner:
		if there {
			add(fmt.Sprintf("private state, while it is saved (%d vectors)", m.Private), int64(m.Private)*vector)
			add("chosen values", chosen(m.Compression, layout))
		} else {
			add(fmt.Sprintf("training (%d vectors)", m.Vectors), int64(m.Vectors)*vector)
		}
		add("provisional parameters", vector)
		add("own payload", 2*m.MaxPayload)
		add("gradients, sealed and opened", 2*peers*m.MaxPayload) // when it gathers itself
	case telemetry.Validator:
		if there {
			add("trial step", chosen(m.Compression, layout))
		} else {
			add("trial step", vector/16) // about a parameter in a hundred is kept aside
		}
		add("gradients, sealed and opened", 2*(peers+int64(r.Params.UIDsPerWindow+r.Params.UnprovenPerWindow))*m.MaxPayload)
	case telemetry.Aggregator:
		add("gradients, sealed and opened", 2*peers*m.MaxPayload)
		add("archiving", m.MaxPayload) // a copy of one at a time
		add("updates", 2*m.MaxUpdate)
	}
	return p
}

// chosen is the memory of the values that cross to and from a device in place of a vector, and of their places.
func chosen(c engine.Compression, l protocol.Layout) (bytes int64) {
	for _, kept := range c.Kept(l) {
		bytes += 6 * int64(kept)
	}
	return bytes
}

// State is what the engine of a role holds of a run's model: parameters, and of a miner gradient and the like, of a validator
// the parameters beside those of a trial step.
func State(role telemetry.Role, r run.Run) int64 {
	vectors := map[telemetry.Role]int{telemetry.Miner: 1 + r.Method.Vectors, telemetry.Validator: 2, telemetry.Evaluator: 1}[role]
	return int64(vectors) * 4 * int64(r.Params.Model.Layout().Size())
}

// Need is the memory that a node needs, in bytes.
type Need struct {
	Least, Most int64 // of this machine: with which it can take part, and of which it makes use
	// Device is what the state takes of a device's memory; its batches come beside it. 0: there is no device.
	Device int64
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
