package role

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Status is the progress of a role: what it is doing and what it did last. It holds no
// credential. What has not happened yet is nil or zero.
type Status struct {
	Node  string         `json:"node"`
	Role  telemetry.Role `json:"role"`
	UID   protocol.UID   `json:"uid"` // of miners and validators
	Phase string         `json:"phase"`
	// Window is the window that the phase is about; Since is when the phase began.
	Window protocol.Window `json:"window"`
	Since  time.Time       `json:"since"`

	Run         *RunStatus        `json:"run,omitempty"`
	Done        *DoneStatus       `json:"done,omitempty"`
	Final       *FinalStatus      `json:"final,omitempty"` // of a node that holds the model
	Provisional bool              `json:"provisional"`     // the last window was passed without its Aggregate
	Trained     *TrainedStatus    `json:"trained,omitempty"`
	Gathered    *GatheredStatus   `json:"gathered,omitempty"`
	Scored      *ScoredStatus     `json:"scored,omitempty"`
	Weights     *WeightsStatus    `json:"weights,omitempty"`
	HeldOut     *HeldOutStatus    `json:"held_out,omitempty"`
	Tasks       *TasksStatus      `json:"tasks,omitempty"`
	Checkpoint  *CheckpointStatus `json:"checkpoint,omitempty"`
	Sent        int64             `json:"bytes_sent"`     // of protocol objects, by this process
	Received    int64             `json:"bytes_received"` // likewise
	FalseAudits []protocol.Window `json:"false_audits,omitempty"`
}

// RunStatus is the run that the node has joined.
type RunStatus struct {
	StartWindow protocol.Window `json:"start_window"`
	Parameters  int             `json:"parameters"`
}

// DoneStatus is the last window of which the node has applied the Aggregate or, as an
// aggregator, published it.
type DoneStatus struct {
	Window       protocol.Window `json:"window"`
	Step         uint64          `json:"step"` // windows since the start window
	Aggregate    protocol.Hash   `json:"aggregate"`
	State        protocol.Hash   `json:"state"` // of the parameters; zero at an aggregator
	Time         time.Time       `json:"time"`
	LearningRate float64         `json:"learning_rate"` // zero at an aggregator
	Included     int             `json:"included"`
	Skipped      string          `json:"skipped,omitempty"` // "2 late, 5 missing": uid and verdict
}

// FinalStatus is the newest state that the node has found final: more than half of the stake has signed
// it. The windows after it are committed and may still be undone.
type FinalStatus struct {
	Window protocol.Window `json:"window"`
	State  protocol.Hash   `json:"state"` // zero when it was restored
}

// TrainedStatus is the last training of a miner.
type TrainedStatus struct {
	Window          protocol.Window `json:"window"`
	Loss            score.Number    `json:"loss"` // nats a token
	Batches         int             `json:"batches"`
	Tokens          int             `json:"tokens"`
	TokensPerSecond float64         `json:"tokens_per_second"`
}

// GatheredStatus is the last gather.
type GatheredStatus struct {
	Window      protocol.Window `json:"window"`
	SuccessRate float64         `json:"success_rate"`
	Seconds     float64         `json:"seconds"`
}

// ScoredStatus is the last window that a validator closed.
type ScoredStatus struct {
	Window protocol.Window `json:"window"`
	Miners int             `json:"miners"`
}

// WeightsStatus is the chain's last answer to a validator's weights.
type WeightsStatus struct {
	Window   protocol.Window `json:"window"`
	Accepted bool            `json:"accepted"`
	Block    uint64          `json:"block,omitempty"`
	Reason   string          `json:"reason,omitempty"`
}

// HeldOutStatus is the last measurement of an evaluator.
type HeldOutStatus struct {
	Window     protocol.Window `json:"window"`
	Loss       score.Number    `json:"loss"` // nats a token
	Perplexity score.Number    `json:"perplexity"`
	Tokens     int             `json:"tokens"`
}

// TasksStatus is an evaluator's last measurement of multiple-choice tasks.
type TasksStatus struct {
	Window protocol.Window `json:"window"`
	Tasks  []TaskStatus    `json:"tasks"` // ascending by name
}

// TaskStatus is the result of one task.
type TaskStatus struct {
	Task      string       `json:"task"`
	Metric    string       `json:"metric"` // acc_norm where the task has it, else acc
	Value     score.Number `json:"value"`
	Documents int          `json:"documents"`
}

// CheckpointStatus is the last checkpoint that is complete in the node's bucket.
type CheckpointStatus struct {
	Window protocol.Window `json:"window"`
	Prefix string          `json:"prefix"`
}

// Progress keeps the Status of a role from the events that the role reports. Use Watch to make it.
type Progress struct {
	next telemetry.Sink

	mu struct {
		sync.Mutex
		status Status
	}
}

// Watch returns a reporter that passes a role's events on and keeps its status.
func Watch(r telemetry.Reporter) (telemetry.Reporter, *Progress) {
	p := &Progress{next: r.Sink}
	p.mu.status = Status{Node: r.Node, Role: r.Role, UID: r.UID}
	if r.Clock != nil {
		r.Sink = p
	}
	return r, p
}

// Emit takes one event.
func (p *Progress) Emit(e telemetry.Event) {
	p.mu.Lock()
	e.Visit(recorder{&p.mu.status})
	p.mu.Unlock()
	if p.next != nil {
		p.next.Emit(e)
	}
}

// Status returns the role's progress. It may be called while the role runs.
func (p *Progress) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.status
}

// recorder enters events in a Status. Values behind its pointers are replaced, never changed:
// readers hold copies of the pointers.
type recorder struct{ *Status }

var _ telemetry.Visitor = recorder{}

func (r recorder) Phase(e telemetry.Event, p telemetry.Phase) {
	r.Status.Phase, r.Since = p.Name, e.Time
	r.Window = cmp.Or(e.Window, r.Window)
}

func (r recorder) Block(telemetry.Event, telemetry.Block) {} // a chain's event, of no role

func (r recorder) Started(_ telemetry.Event, s telemetry.Started) {
	r.Run = &RunStatus{StartWindow: s.StartWindow, Parameters: s.Parameters}
}

func (r recorder) Trained(e telemetry.Event, t telemetry.Trained) {
	speed := 0.0
	if t.Duration > 0 {
		speed = float64(t.Tokens) / t.Duration.Seconds()
	}
	r.Status.Trained = &TrainedStatus{Window: e.Window, Loss: score.Number(t.Loss), Batches: t.Batches, Tokens: t.Tokens, TokensPerSecond: speed}
}

func (r recorder) Uploaded(_ telemetry.Event, u telemetry.Uploaded) { r.Sent += u.Bytes }

func (r recorder) Gathered(e telemetry.Event, g telemetry.Gathered) {
	r.Received += g.Bytes
	r.Status.Gathered = &GatheredStatus{Window: e.Window, SuccessRate: g.SuccessRate(), Seconds: g.Duration.Seconds()}
}

func (r recorder) Published(e telemetry.Event, p telemetry.Published) {
	r.Sent += p.Bytes
	r.Done = &DoneStatus{
		Window: e.Window, Step: p.Step, Aggregate: p.Hash, Time: e.Time,
		Included: len(p.Included), Skipped: telemetry.Skipped(p.Skipped),
	}
}

func (r recorder) Applied(e telemetry.Event, a telemetry.Applied) {
	r.Received += a.AggregateBytes
	if r.Provisional = a.Provisional; a.Provisional {
		return
	}
	r.Done = &DoneStatus{
		Window: e.Window, Step: a.Step, Aggregate: a.Aggregate, State: a.State, Time: e.Time,
		LearningRate: float64(a.LearningRate), Included: len(a.Included), Skipped: telemetry.Skipped(a.Skipped),
	}
	if a.Final > 0 {
		r.Status.Final = &FinalStatus{Window: a.Final - 1, State: a.FinalState}
	}
}

func (r recorder) Audited(e telemetry.Event, a telemetry.Audited) {
	const kept = 16
	if !a.Honest && len(r.FalseAudits) < kept {
		r.FalseAudits = append(r.FalseAudits[:len(r.FalseAudits):len(r.FalseAudits)], e.Window)
	}
}

func (r recorder) Evaluated(telemetry.Event, telemetry.Evaluated) {} // its scores follow

func (r recorder) Compared(telemetry.Event, telemetry.Compared) {} // likewise

func (r recorder) Scored(e telemetry.Event, s telemetry.Scored) {
	r.Status.Scored = &ScoredStatus{Window: e.Window, Miners: len(s.Miners)}
}

func (r recorder) WeightsSet(e telemetry.Event, w telemetry.WeightsSet) {
	r.Weights = &WeightsStatus{Window: e.Window, Accepted: w.Accepted, Block: w.Block, Reason: w.Reason}
}

func (r recorder) Checkpointed(e telemetry.Event, c telemetry.Checkpointed) {
	r.Checkpoint = &CheckpointStatus{Window: e.Window, Prefix: c.Prefix}
}

func (r recorder) HeldOut(e telemetry.Event, h telemetry.HeldOut) {
	r.Status.HeldOut = &HeldOutStatus{Window: e.Window, Loss: score.Number(h.Loss), Perplexity: score.Number(h.Perplexity()), Tokens: h.Tokens}
}

func (r recorder) Benchmarked(e telemetry.Event, b telemetry.Benchmarked) {
	s := &TasksStatus{Window: e.Window}
	for _, t := range b.Tasks {
		metric, value := t.Main()
		s.Tasks = append(s.Tasks, TaskStatus{Task: t.Task, Metric: metric, Value: score.Number(value), Documents: t.Documents})
	}
	r.Status.Tasks = s
}

// lateWindows is after how many windows without an Aggregate a node counts as behind.
const lateWindows = 3

// Ready reports whether a node takes part in its run and keeps up, and why it does not.
func (s Status) Ready(now time.Time, windowTime time.Duration) (ready bool, why string) {
	switch {
	case s.Phase == "done":
		return true, ""
	case s.Phase == "" || s.Phase == "starting":
		return false, "starting"
	case s.Done == nil && s.Run == nil:
		return false, "waiting for the run to begin"
	case s.Done == nil:
		return false, "no window done yet"
	}
	if ago := now.Sub(s.Done.Time); ago > lateWindows*windowTime {
		return false, fmt.Sprintf("the last window was done %v ago, a window takes %v", ago.Round(time.Second), windowTime)
	}
	return true, ""
}
