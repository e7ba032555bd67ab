package influx

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

// Points writes an event in InfluxDB's line protocol: a point, or one for each miner that
// was compared or scored. Events without numbers give none.
func Points(e telemetry.Event) [][]byte {
	var b batch
	e.Visit(&b)
	return b
}

// batch collects the points of events.
type batch [][]byte

var _ telemetry.Visitor = (*batch)(nil)

func (b *batch) add(e telemetry.Event, p *point) { *b = append(*b, p.line(e.Time)) }

func (b *batch) Phase(telemetry.Event, telemetry.Phase) {} // no number
func (b *batch) Block(telemetry.Event, telemetry.Block) {} // the same at every node

func (b *batch) Started(e telemetry.Event, s telemetry.Started) {
	b.add(e, newPoint(e).count("start_window", uint64(s.StartWindow)).count("parameters", uint64(s.Parameters)))
}

func (b *batch) Trained(e telemetry.Event, t telemetry.Trained) {
	b.add(e, newPoint(e).number("loss", t.Loss).count("tokens", uint64(t.Tokens)).count("batches", uint64(t.Batches)).
		count("pages", uint64(len(t.Pages))).time("", t.Duration).usage(e.Usage))
}

func (b *batch) Uploaded(e telemetry.Event, u telemetry.Uploaded) {
	b.add(e, newPoint(e).count("bytes", uint64(u.Bytes)).time("", u.Duration))
}

func (b *batch) Gathered(e telemetry.Event, g telemetry.Gathered) {
	verdicts := make([]protocol.Verdict, len(g.Verdicts))
	for i, v := range g.Verdicts {
		verdicts[i] = v.Verdict
	}
	b.add(e, newPoint(e).count("peers", uint64(len(g.Verdicts))).number("success_rate", g.SuccessRate()).
		count("bytes", uint64(g.Bytes)).time("", g.Duration).verdicts(verdicts))
}

func (b *batch) Published(e telemetry.Event, p telemetry.Published) {
	b.add(e, newPoint(e).count("peers_selected", uint64(len(p.Included)+len(p.Skipped))).count("peers_included", uint64(len(p.Included))).
		number("success_rate", p.SuccessRate()).count("bytes", uint64(p.Bytes)).flag("ours", p.Ours).
		time("gather", p.Gather).time("aggregate", p.Aggregate).time("publish", p.Publish).
		verdicts(slices.Collect(maps.Values(p.Skipped))).text("skipped_uids", skippedUIDs(p.Skipped)))
}

func (b *batch) Applied(e telemetry.Event, a telemetry.Applied) {
	b.add(e, newPoint(e).count("step", a.Step).number("learning_rate", float64(a.LearningRate)).count("bytes", uint64(a.AggregateBytes)).
		count("peers_included", uint64(len(a.Included))).count("peers_skipped", uint64(len(a.Skipped))).flag("provisional", a.Provisional))
}

func (b *batch) Audited(e telemetry.Event, a telemetry.Audited) {
	b.add(e, newPoint(e).flag("honest", a.Honest).count("gradients", uint64(a.Gradients)).count("left_out", uint64(len(a.LeftOut))))
}

func (b *batch) Evaluated(e telemetry.Event, v telemetry.Evaluated) {
	b.add(e, newPoint(e).count("miners", uint64(v.Miners)).time("", v.Duration).usage(e.Usage))
}

func (b *batch) Compared(e telemetry.Event, c telemetry.Compared) {
	for _, s := range c.Samples {
		p := newPoint(e).tag("miner", strconv.Itoa(int(s.UID))).flag("ok", s.Verdict.OK())
		if s.Verdict.OK() {
			p.number("l2", float64(s.L2)).number("mean_abs", float64(s.MeanAbs)).number("steps_behind", float64(s.StepsBehind)).flag("same_state", s.Same)
		}
		b.add(e, p)
	}
}

func (b *batch) Scored(e telemetry.Event, s telemetry.Scored) {
	for i := range s.Miners {
		m := &s.Miners[i]
		a := &m.After
		p := newPoint(e).tag("miner", strconv.Itoa(int(m.UID))).
			number("gradient_score", a.GradientScore).number("mu", a.Mu).number("sigma", a.Sigma).number("ordinal", a.Ordinal()).
			number("binary_average", a.BinaryAverage).number("sync_score", a.SyncScore).number("final", a.Final).number("weight", m.Weight).
			flag("evaluated", m.Evaluated).count("penalties", uint64(m.Penalties()))
		if l := m.Losses; l != nil {
			p.number("own_before", float64(l.OwnBefore)).number("own_after", float64(l.OwnAfter)).
				number("random_before", float64(l.RandomBefore)).number("random_after", float64(l.RandomAfter))
		}
		b.add(e, p)
	}
}

func (b *batch) WeightsSet(e telemetry.Event, w telemetry.WeightsSet) {
	b.add(e, newPoint(e).flag("accepted", w.Accepted).count("block", w.Block))
}

func (b *batch) Checkpointed(e telemetry.Event, c telemetry.Checkpointed) {
	b.add(e, newPoint(e).count("bytes", uint64(c.Bytes)))
}

func (b *batch) HeldOut(e telemetry.Event, h telemetry.HeldOut) {
	b.add(e, newPoint(e).number("loss", h.Loss).number("perplexity", h.Perplexity()).number("bits_per_byte", h.BitsPerByte()).count("tokens", uint64(h.Tokens)).usage(e.Usage))
}

func (b *batch) Benchmarked(e telemetry.Event, m telemetry.Benchmarked) {
	for _, t := range m.Tasks {
		b.add(e, newPoint(e).tag("task", t.Task).number("acc", t.Acc).number("acc_stderr", t.AccErr).number("acc_norm", t.Norm).number("acc_norm_stderr", t.NormErr).
			number("log_likelihood", t.LogLikelihood).count("documents", uint64(t.Documents)).count("shots", uint64(t.Shots)).usage(e.Usage))
	}
}

// point is a point under construction.
type point struct{ tags, fields []byte }

func newPoint(e telemetry.Event) *point {
	p := &point{tags: []byte("templar_" + strings.ReplaceAll(e.Kind(), "-", "_"))}
	p.tag("node", e.Node).tag("role", string(e.Role))
	if e.Role == telemetry.Miner || e.Role == telemetry.Validator { // the others have no slot on the chain
		p.tag("uid", strconv.Itoa(int(e.UID)))
	}
	return p.count("window", uint64(e.Window))
}

// tag adds a tag; an empty one cannot be written.
func (p *point) tag(name, value string) *point {
	if value = escaped(value); value != "" {
		p.tags = append(append(append(append(p.tags, ','), name...), '='), value...)
	}
	return p
}

// escaped is a tag's value in line protocol. Characters that would end the line are left out.
func escaped(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `).Replace(s)
}

func (p *point) field(name string) {
	if len(p.fields) > 0 {
		p.fields = append(p.fields, ',')
	}
	p.fields = append(append(p.fields, name...), '=')
}

func (p *point) count(name string, n uint64) *point {
	p.field(name)
	p.fields = append(strconv.AppendUint(p.fields, min(n, math.MaxInt64), 10), 'i')
	return p
}

// number adds a number; what is not finite cannot be written.
func (p *point) number(name string, x float64) *point {
	if !math.IsNaN(x) && !math.IsInf(x, 0) {
		p.field(name)
		p.fields = strconv.AppendFloat(p.fields, x, 'g', -1, 64)
	}
	return p
}

// text adds a text, at most 255 bytes of it.
func (p *point) text(name, value string) *point {
	const most = 255
	value = strings.ToValidUTF8(value[:min(len(value), most)], "")
	value = strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, value)
	p.field(name)
	p.fields = append(append(append(p.fields, '"'), strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)...), '"')
	return p
}

func (p *point) flag(name string, b bool) *point {
	p.field(name)
	p.fields = strconv.AppendBool(p.fields, b)
	return p
}

// time adds a duration: "<of>_seconds".
func (p *point) time(of string, d time.Duration) *point {
	return p.number(strings.TrimPrefix(of+"_seconds", "_"), d.Seconds())
}

// usage adds what the engine has computed since the node started.
func (p *point) usage(u telemetry.Usage) *point {
	if u != (telemetry.Usage{}) {
		p.time("engine", u.Busy).time("engine_cpu", u.CPU)
	}
	return p
}

// line is the point as it is sent.
func (p *point) line(at time.Time) []byte {
	b := append(append(append(p.tags, ' '), p.fields...), ' ')
	return append(strconv.AppendInt(b, at.UnixNano(), 10), '\n')
}

// verdicts counts the peers whose gradient cannot be used, by the reason: "skipped_late=2i".
func (p *point) verdicts(all []protocol.Verdict) *point {
	counts := make(map[string]uint64)
	for _, v := range all {
		if !v.OK() {
			counts["skipped_"+strings.ReplaceAll(v.String(), "-", "_")]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		p.count(name, counts[name])
	}
	return p
}
