package otlp

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

const (
	maxEvents = 128 // of a span: a window has a few of each kind
	maxReason = 256 // bytes of a text that another machine has chosen
)

// Trace is the id of a window's trace. It follows from the run and the window alone, so that the
// spans of all nodes meet in one trace without a word between them.
func Trace(run protocol.Hash, w protocol.Window) [16]byte {
	b := append([]byte("templar trace "), run[:]...)
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(b, uint64(w)))
	return [16]byte(sum[:16])
}

// span is a Span of OTLP's JSON encoding: ids are hexadecimal, integers of 64 bits are texts.
type span struct {
	Trace      string      `json:"traceId"`
	ID         string      `json:"spanId"`
	Parent     string      `json:"parentSpanId,omitempty"`
	Name       string      `json:"name"`
	Kind       int         `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []attribute `json:"attributes,omitempty"`
	Events     []event     `json:"events,omitempty"`
	Dropped    int         `json:"droppedEventsCount,omitempty"`
	Status     *status     `json:"status,omitempty"`

	start time.Time
}

const (
	kindInternal = 1
	statusError  = 2
)

type event struct {
	Time       string      `json:"timeUnixNano"`
	Name       string      `json:"name"`
	Attributes []attribute `json:"attributes,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
}

type attribute struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

type value struct {
	Text  *string  `json:"stringValue,omitempty"`
	Int   *string  `json:"intValue,omitempty"`
	Float *float64 `json:"doubleValue,omitempty"`
	Bool  *bool    `json:"boolValue,omitempty"`
}

// is makes an attribute; of a number that JSON does not have, nil.
func is(key string, v any) (out []attribute) {
	var of value
	switch v := v.(type) {
	case string:
		of.Text = &v
	case bool:
		of.Bool = &v
	case int:
		text := strconv.Itoa(v)
		of.Int = &text
	case int64:
		text := strconv.FormatInt(v, 10)
		of.Int = &text
	case uint64:
		text := strconv.FormatUint(v, 10)
		of.Int = &text
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		of.Float = &v
	}
	return []attribute{{"templar." + key, of}}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// recorder makes spans of a node's events: one for each stretch of events about one window, and one in it
// for each phase. A span is complete, and sent, when the next begins.
type recorder struct {
	run  protocol.Hash
	send func(span)

	window, phase *span // open; nil: none
	at            protocol.Window
}

var _ telemetry.Visitor = (*recorder)(nil)

// open begins a span. Its id follows from what it is of, so that it is the same when a test runs again.
func (r *recorder) open(e telemetry.Event, name string, parent *span) *span {
	trace := Trace(r.run, e.Window)
	s := &span{
		Trace: hex.EncodeToString(trace[:]), Name: name, Kind: kindInternal, start: e.Time, Start: nanos(e.Time),
		Attributes: append(is("node", e.Node), append(is("role", string(e.Role)), is("window", uint64(e.Window))...)...),
	}
	if e.Role == telemetry.Miner || e.Role == telemetry.Validator {
		s.Attributes = append(s.Attributes, is("uid", int(e.UID))...)
	}
	if parent != nil {
		s.Parent = parent.ID
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{s.Trace, e.Node, name, s.Start, s.Parent}, "\x00")))
	s.ID = hex.EncodeToString(sum[:8])
	return s
}

// end ends a span and sends it. A clock that was set back makes no span of negative length.
func (r *recorder) end(s *span, at time.Time) {
	if s == nil {
		return
	}
	if at.Before(s.start) {
		at = s.start
	}
	s.End = nanos(at)
	r.send(*s)
}

// close ends what is open.
func (r *recorder) close(at time.Time) {
	r.end(r.phase, at)
	r.end(r.window, at)
	r.window, r.phase = nil, nil
}

// Phase ends the phase before, and its window's span when the window is another one.
func (r *recorder) Phase(e telemetry.Event, p telemetry.Phase) {
	if r.window != nil && r.at != e.Window {
		r.close(e.Time)
	}
	r.end(r.phase, e.Time)
	r.phase = nil
	if p.Name == "done" { // nothing follows
		r.close(e.Time)
		return
	}
	if r.window == nil {
		r.window, r.at = r.open(e, string(e.Role)+" window", nil), e.Window
	}
	name, more := nameOf(p.Name)
	r.phase = r.open(e, name, r.window)
	r.phase.Attributes = append(r.phase.Attributes, more...)
}

// nameOf splits what a phase is about from its name, of which there shall be few.
func nameOf(phase string) (string, []attribute) {
	if uid, ok := strings.CutPrefix(phase, "eval uid "); ok {
		return "evaluating", is("subject", uid)
	}
	if task, ok := strings.CutPrefix(phase, "task "); ok {
		return "task", is("task", task)
	}
	return phase, nil
}

// add notes an event in the open phase, with attributes.
func (r *recorder) add(e telemetry.Event, attributes ...[]attribute) {
	s := cmp.Or(r.phase, r.window)
	if s == nil {
		return
	}
	if len(s.Events) >= maxEvents {
		s.Dropped++
		return
	}
	note := event{Time: nanos(e.Time), Name: e.Kind(), Attributes: is("window", uint64(e.Window))}
	for _, a := range attributes {
		note.Attributes = append(note.Attributes, a...)
	}
	s.Events = append(s.Events, note)
}

// fail marks the open phase and its window.
func (r *recorder) fail(reason string) {
	reason = clean(reason)
	for _, s := range []*span{r.phase, r.window} {
		if s != nil {
			s.Status = &status{statusError, reason}
		}
	}
}

// clean bounds a text.
func clean(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxReason)], "") }

func seconds(d time.Duration) []attribute { return is("seconds", d.Seconds()) }

func (r *recorder) Block(telemetry.Event, telemetry.Block) {}

func (r *recorder) Started(e telemetry.Event, s telemetry.Started) {
	r.add(e, is("start_window", uint64(s.StartWindow)), is("parameters", s.Parameters))
}

func (r *recorder) Trained(e telemetry.Event, t telemetry.Trained) {
	r.add(e, is("loss", t.Loss), is("tokens", t.Tokens), is("batches", t.Batches), seconds(t.Duration))
}

func (r *recorder) Uploaded(e telemetry.Event, u telemetry.Uploaded) {
	r.add(e, is("key", clean(u.Key)), is("bytes", u.Bytes), seconds(u.Duration))
}

func (r *recorder) Gathered(e telemetry.Event, g telemetry.Gathered) {
	r.add(e, is("peers", len(g.Verdicts)), is("success_rate", g.SuccessRate()), is("bytes", g.Bytes), seconds(g.Duration))
}

func (r *recorder) Published(e telemetry.Event, p telemetry.Published) {
	r.add(e, is("aggregate", p.Hash.String()), is("included", len(p.Included)), is("skipped", telemetry.Skipped(p.Skipped)), is("ours", p.Ours), is("bytes", p.Bytes))
}

func (r *recorder) Applied(e telemetry.Event, a telemetry.Applied) {
	r.add(e, is("aggregate", a.Aggregate.String()), is("state", a.State.String()), is("included", len(a.Included)), is("skipped", telemetry.Skipped(a.Skipped)), is("provisional", a.Provisional))
	if a.Provisional {
		r.fail("continues without the Aggregate, provisionally")
	}
}

func (r *recorder) Audited(e telemetry.Event, a telemetry.Audited) {
	r.add(e, is("honest", a.Honest), is("gradients", a.Gradients), is("left_out", len(a.LeftOut)))
	if !a.Honest {
		r.fail("the Aggregate is not what its gradients give")
	}
}

func (r *recorder) Evaluated(e telemetry.Event, v telemetry.Evaluated) {
	r.add(e, is("miners", v.Miners), seconds(v.Duration))
}

func (r *recorder) Compared(e telemetry.Event, c telemetry.Compared) {
	r.add(e, is("samples", len(c.Samples)))
}

func (r *recorder) Scored(e telemetry.Event, s telemetry.Scored) {
	r.add(e, is("miners", len(s.Miners)))
}

func (r *recorder) WeightsSet(e telemetry.Event, w telemetry.WeightsSet) {
	r.add(e, is("accepted", w.Accepted), is("block", w.Block), is("reason", clean(w.Reason)))
	if !w.Accepted {
		r.fail("weights refused: " + w.Reason)
	}
}

func (r *recorder) Checkpointed(e telemetry.Event, c telemetry.Checkpointed) {
	r.add(e, is("bytes", c.Bytes))
}

func (r *recorder) HeldOut(e telemetry.Event, h telemetry.HeldOut) {
	r.add(e, is("loss", h.Loss), is("tokens", h.Tokens))
}

func (r *recorder) Benchmarked(e telemetry.Event, b telemetry.Benchmarked) {
	r.add(e, is("tasks", len(b.Tasks)), seconds(b.Duration))
}

// encode writes a span as JSON.
func encode(s span) ([]byte, error) { return json.Marshal(s) }
