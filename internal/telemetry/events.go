// Package telemetry is the one seam through which a role tells what it does: typed
// events, from which logs, the live view, reports, metrics and tests are fed. An
// event never carries a credential.
package telemetry

import (
	"sync"
	"time"

	"templar/internal/clock"
	"templar/protocol"
)

// Role is what a node is.
type Role string

// The roles.
const (
	Miner      Role = "miner"
	Validator  Role = "validator"
	Aggregator Role = "aggregator"
	Observer   Role = "observer" // follows the run and measures, takes no part
)

// Event is one thing that happened at one node.
type Event struct {
	Time   time.Time
	Node   string // unique in the network, for example "miner-0"
	Role   Role
	UID    protocol.UID
	Window protocol.Window // the window the event is about
	Body   Body
}

// Body is one of the structs below.
type Body interface{ kind() string }

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

// PeerVerdict is what a gather made of one peer.
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

// Published: the Aggregate of the window is out.
type Published struct {
	Hash     protocol.Hash
	Bytes    int64
	Included []protocol.UID
	Skipped  map[protocol.UID]protocol.Verdict
	Ours     bool // false: another aggregator's stood there first

	Gather    time.Duration // as the Aggregate says
	Aggregate time.Duration // likewise
	Publish   time.Duration // this node's, until it had read back what counts
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
}

// Audited: a validator recomputed the window's Aggregate from the gradients it names.
type Audited struct {
	Honest    bool
	Gradients int
}

// Evaluated: a validator measured what miners' gradients do to the loss.
type Evaluated struct {
	Miners   int
	Duration time.Duration
}

// Compared: a validator held miners' sync samples against its own parameters.
type Compared struct{ Samples []SampleDistance } // ascending uid

// SampleDistance is how far a miner's model is from the validator's. The distances count
// only when Verdict is OK.
type SampleDistance struct {
	UID         protocol.UID
	Verdict     protocol.Verdict // of the sample
	L2          float64          // over the sampled values
	MeanAbs     float64          // mean absolute difference
	StepsBehind float64          // MeanAbs / learning rate
}

// Scored: a validator closed the window's books.
type Scored struct{ Miners []MinerScore }

// MinerScore is one miner's standing at one validator.
type MinerScore struct {
	UID           protocol.UID
	Hotkey        protocol.Hotkey
	Evaluated     bool // in this window
	GradientScore float64
	Mu, Sigma     float64
	Ordinal       float64
	BinaryAverage float64
	SyncScore     float64
	Final         float64
	Weight        float64 // share, sums to 1 over all miners when any is positive
	Notes         []string
}

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
	Loss   float64 // nats a token
	Tokens int
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

// Reporter stamps one node's events. Its zero value swallows them.
type Reporter struct {
	Node  string
	Role  Role
	UID   protocol.UID
	Clock clock.Clock
	Sink  Sink
}

// Emit reports body for window w.
func (r Reporter) Emit(w protocol.Window, body Body) {
	if r.Sink == nil {
		return
	}
	r.Sink.Emit(Event{Time: r.Clock.Now(), Node: r.Node, Role: r.Role, UID: r.UID, Window: w, Body: body})
}

// Phase reports what the node is doing in window w.
func (r Reporter) Phase(w protocol.Window, name string) { r.Emit(w, Phase{Name: name}) }
