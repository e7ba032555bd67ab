// Package telemetry defines the events that roles emit: typed values, which feed logs, the live
// view, reports, metrics and tests. An event never carries a credential.
package telemetry

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"templar/internal/clock"
	"templar/internal/score"
	"templar/protocol"
)

// Role is the kind of a node.
type Role string

// The roles.
const (
	Miner      Role = "miner"
	Validator  Role = "validator"
	Aggregator Role = "aggregator"
	Evaluator  Role = "evaluator" // follows the run and measures the model
)

// Event is one event at one node.
type Event struct {
	Time   time.Time
	Node   string // unique in the network, for example "miner-0"
	Role   Role
	UID    protocol.UID
	Window protocol.Window // the window the event is about
	Usage  Usage
	Body   Body
}

// Usage is what a node's engine has computed since the node started: losses, gradients and
// steps. It is zero where there is no engine, or where time is simulated.
type Usage struct {
	Busy time.Duration // wall time
	CPU  time.Duration // of all cores
}

// Advance takes the usage of a node's next event, and returns what was added. An event may overtake
// another of its node: then the older one adds nothing. Less than half means that the node was started
// again and has begun at zero.
func (u *Usage) Advance(now Usage) (added Usage) {
	if 2*now.Busy < u.Busy {
		*u = now
		return now
	}
	added = Usage{Busy: max(0, now.Busy-u.Busy), CPU: max(0, now.CPU-u.CPU)}
	u.Busy, u.CPU = u.Busy+added.Busy, u.CPU+added.CPU
	return added
}

// Body is one of the structs below, each of which has a method of a Visitor.
type Body interface {
	kind() string
	visit(Event, Visitor)
}

// Visitor dispatches events by their bodies. A sink implements it without embedding
// another one: a kind of event that is added here then fails to compile in each sink until
// its author has decided what the sink does with it.
type Visitor interface {
	Phase(Event, Phase)
	Block(Event, Block)
	Started(Event, Started)
	Trained(Event, Trained)
	Uploaded(Event, Uploaded)
	Gathered(Event, Gathered)
	Published(Event, Published)
	Applied(Event, Applied)
	Audited(Event, Audited)
	Evaluated(Event, Evaluated)
	Compared(Event, Compared)
	Scored(Event, Scored)
	WeightsSet(Event, WeightsSet)
	Checkpointed(Event, Checkpointed)
	HeldOut(Event, HeldOut)
	Benchmarked(Event, Benchmarked)
}

// Visit calls the method of v for the event's body.
func (e Event) Visit(v Visitor) { e.Body.visit(e, v) }

// Phase: the node has entered a phase of its loop.
type Phase struct{ Name string }

// Block: a new block exists.
type Block struct {
	Number uint64
	Time   time.Time
}

// Started: the run's start window and its parameters are known to the node.
type Started struct {
	StartWindow protocol.Window
	Parameters  int
	StateHash   protocol.Hash
}

// Trained: a miner finished accumulating.
type Trained struct {
	Loss     float64 // nats a token, mean over the window's batches, at the parameters before the update
	Tokens   int
	Batches  int
	Pages    []uint64
	Duration time.Duration
}

// Uploaded: an object of the node was stored.
type Uploaded struct {
	Key      string
	Bytes    int64
	Duration time.Duration
}

// Gathered: a set of peers' gradients was fetched and judged.
type Gathered struct {
	Verdicts []PeerVerdict // ascending uid
	Bytes    int64
	Duration time.Duration
}

// PeerVerdict is a gather's verdict on one peer.
type PeerVerdict struct {
	UID      protocol.UID
	Verdict  protocol.Verdict
	Bytes    int64
	Attempts int
	Duration time.Duration
}

// SuccessRate is the share of the peers whose gradient can be used; zero when there are none.
func (g Gathered) SuccessRate() float64 {
	ok := 0
	for _, p := range g.Verdicts {
		if p.Verdict.OK() {
			ok++
		}
	}
	return float64(ok) / float64(max(len(g.Verdicts), 1))
}

// Published: the Aggregate of the window is published.
type Published struct {
	Hash     protocol.Hash
	Step     uint64 // the window's place in the run, from 0 on
	Bytes    int64
	Included []protocol.UID
	Skipped  map[protocol.UID]protocol.Verdict
	Ours     bool // false: another aggregator published first

	Gather    time.Duration // as the Aggregate says
	Aggregate time.Duration // likewise
	Publish   time.Duration // this node's, until it had read back the Aggregate that counts
}

// SuccessRate is the share of the selected peers that are in the Aggregate.
func (p Published) SuccessRate() float64 {
	return float64(len(p.Included)) / float64(max(1, len(p.Included)+len(p.Skipped)))
}

// Applied: the window's Aggregate was applied.
type Applied struct {
	Aggregate      protocol.Hash
	State          protocol.Hash // zero when Provisional
	Step           uint64
	LearningRate   float32
	AggregateBytes int64
	Included       []protocol.UID
	Skipped        map[protocol.UID]protocol.Verdict
	Provisional    bool

	// Final is the first window that is not final, and FinalState the state before it; zero when it
	// was restored and not hashed.
	Final      protocol.Window
	FinalState protocol.Hash
}

// Audited: a validator recomputed the window's Aggregate from the gradients it names.
type Audited struct {
	Honest    bool
	Gradients int
	LeftOut   []protocol.UID // selected peers whose gradients were valid, and are not in it
}

// Evaluated: a validator measured the effect of miners' gradients on the loss.
type Evaluated struct {
	Miners   int
	Duration time.Duration
}

// Compared: a validator compared miners' sync samples with its own parameters.
type Compared struct{ Samples []Sample } // ascending uid

// Sample is the result for one miner's sync sample.
type Sample struct {
	UID protocol.UID
	score.Sync
}

// Scored: a validator closed a window. The scores that follow are durable. What the lines
// point to is shared: a sink does not change it.
type Scored struct{ Miners []score.Line } // ascending uid

// WeightsSet: the chain's answer to a validator's weights.
type WeightsSet struct {
	Accepted bool
	Block    uint64
	Reason   string
}

// Checkpointed: a checkpoint is complete in the node's bucket.
type Checkpointed struct {
	Prefix string
	Bytes  int64
}

// HeldOut: the model's loss on held-out text after the window's update.
type HeldOut struct {
	Loss   float64 // nats a token, mean
	Tokens int     // whose prediction was measured
	Bytes  int64   // of text that these tokens stand for
	// Tasks: a Benchmarked of the same window follows.
	Tasks bool
}

// Perplexity is e^Loss.
func (h HeldOut) Perplexity() float64 { return math.Exp(h.Loss) }

// BitsPerByte is the loss in bits for each byte of text. It does not depend on the tokenizer.
// It is NaN when the number of bytes is not known.
func (h HeldOut) BitsPerByte() float64 {
	if h.Bytes == 0 {
		return math.NaN()
	}
	return h.Loss * float64(h.Tokens) / float64(h.Bytes) / math.Ln2
}

// Benchmarked: the model's results on multiple-choice tasks after the window's update.
type Benchmarked struct {
	Tasks    []TaskScore // ascending by name
	Duration time.Duration
}

// TaskScore is the result of one task. NaN stands for what is not defined.
type TaskScore struct {
	Task      string
	Shots     int // worked examples before each question
	Documents int
	Acc       float64 // share of the documents whose right answer was the most likely
	AccErr    float64 // standard error
	Norm      float64 // the same by the likelihood of a character
	NormErr   float64
	// LogLikelihood is that of the right answers, mean: nats.
	LogLikelihood float64
}

// Main is the metric that tasks are compared by, as in the Python original: acc_norm where it is defined, else acc.
func (t TaskScore) Main() (metric string, value float64) {
	if math.IsNaN(t.Norm) {
		return "acc", t.Acc
	}
	return "acc_norm", t.Norm
}

func (Phase) kind() string        { return "phase" }
func (Block) kind() string        { return "block" }
func (Started) kind() string      { return "started" }
func (Trained) kind() string      { return "trained" }
func (Uploaded) kind() string     { return "uploaded" }
func (Gathered) kind() string     { return "gathered" }
func (Published) kind() string    { return "published" }
func (Applied) kind() string      { return "applied" }
func (Audited) kind() string      { return "audited" }
func (Evaluated) kind() string    { return "evaluated" }
func (Compared) kind() string     { return "compared" }
func (Scored) kind() string       { return "scored" }
func (WeightsSet) kind() string   { return "weights-set" }
func (Checkpointed) kind() string { return "checkpointed" }
func (HeldOut) kind() string      { return "held-out" }
func (Benchmarked) kind() string  { return "benchmark" }

func (b Phase) visit(e Event, v Visitor)        { v.Phase(e, b) }
func (b Block) visit(e Event, v Visitor)        { v.Block(e, b) }
func (b Started) visit(e Event, v Visitor)      { v.Started(e, b) }
func (b Trained) visit(e Event, v Visitor)      { v.Trained(e, b) }
func (b Uploaded) visit(e Event, v Visitor)     { v.Uploaded(e, b) }
func (b Gathered) visit(e Event, v Visitor)     { v.Gathered(e, b) }
func (b Published) visit(e Event, v Visitor)    { v.Published(e, b) }
func (b Applied) visit(e Event, v Visitor)      { v.Applied(e, b) }
func (b Audited) visit(e Event, v Visitor)      { v.Audited(e, b) }
func (b Evaluated) visit(e Event, v Visitor)    { v.Evaluated(e, b) }
func (b Compared) visit(e Event, v Visitor)     { v.Compared(e, b) }
func (b Scored) visit(e Event, v Visitor)       { v.Scored(e, b) }
func (b WeightsSet) visit(e Event, v Visitor)   { v.WeightsSet(e, b) }
func (b Checkpointed) visit(e Event, v Visitor) { v.Checkpointed(e, b) }
func (b HeldOut) visit(e Event, v Visitor)      { v.HeldOut(e, b) }
func (b Benchmarked) visit(e Event, v Visitor)  { v.Benchmarked(e, b) }

// Kind names the event's body in logs and metrics.
func (e Event) Kind() string { return e.Body.kind() }

// Sink takes events. Emit must be quick and safe for concurrent use.
type Sink interface{ Emit(Event) }

// SinkFunc is a function as a Sink.
type SinkFunc func(Event)

// Emit calls f.
func (f SinkFunc) Emit(e Event) { f(e) }

// Tee passes each event to every sink, one event at a time.
func Tee(sinks ...Sink) Sink {
	var mu sync.Mutex
	return SinkFunc(func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range sinks {
			s.Emit(e)
		}
	})
}

// Reporter stamps one node's events. Its zero value discards them.
type Reporter struct {
	Node  string
	Role  Role
	UID   protocol.UID
	Clock clock.Clock
	Usage func() Usage // of the node's engine; nil: none
	Sink  Sink
}

// Emit reports body for window w.
func (r Reporter) Emit(w protocol.Window, body Body) {
	if r.Sink == nil {
		return
	}
	e := Event{Time: r.Clock.Now(), Node: r.Node, Role: r.Role, UID: r.UID, Window: w, Body: body}
	if r.Usage != nil {
		e.Usage = r.Usage()
	}
	r.Sink.Emit(e)
}

// Phase reports what the node is doing in window w.
func (r Reporter) Phase(w protocol.Window, name string) { r.Emit(w, Phase{Name: name}) }

// Skipped writes a window's skipped peers for people: "2 late, 5 missing".
func Skipped(skipped map[protocol.UID]protocol.Verdict) string {
	var words []string
	for _, uid := range slices.Sorted(maps.Keys(skipped)) {
		words = append(words, fmt.Sprintf("%d %v", uid, skipped[uid]))
	}
	return strings.Join(words, ", ")
}
