package export

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

// points writes an event in InfluxDB's line protocol: a point, or one for each miner that
// was compared or scored. Events that are no numbers give none.
func points(e telemetry.Event) (out [][]byte) {
	p := newPoint(e)
	switch b := e.Body.(type) {
	case telemetry.Started:
		p.count("start_window", uint64(b.StartWindow)).count("parameters", uint64(b.Parameters))
	case telemetry.Trained:
		p.number("loss", b.Loss).count("tokens", uint64(b.Tokens)).count("batches", uint64(b.Batches)).count("pages", uint64(len(b.Pages))).time("", b.Duration)
	case telemetry.Uploaded:
		p.count("bytes", uint64(b.Bytes)).time("", b.Duration)
	case telemetry.Gathered:
		p.gathered(b)
	case telemetry.Published:
		p.published(b)
	case telemetry.Applied:
		p.count("step", b.Step).number("learning_rate", float64(b.LearningRate)).count("bytes", uint64(b.AggregateBytes)).
			count("peers_included", uint64(len(b.Included))).count("peers_skipped", uint64(len(b.Skipped))).flag("provisional", b.Provisional)
	case telemetry.Audited:
		p.flag("honest", b.Honest).count("gradients", uint64(b.Gradients))
	case telemetry.Evaluated:
		p.count("miners", uint64(b.Miners)).time("", b.Duration)
	case telemetry.WeightsSet:
		p.flag("accepted", b.Accepted).count("block", b.Block)
	case telemetry.Checkpointed:
		p.count("bytes", uint64(b.Bytes))
	case telemetry.HeldOut:
		p.number("loss", b.Loss).count("tokens", uint64(b.Tokens))
	case telemetry.Compared:
		for _, s := range b.Samples {
			out = append(out, newPoint(e).tag("miner", strconv.Itoa(int(s.UID))).compared(s).line(e.Time))
		}
		return out
	case telemetry.Scored:
		for _, m := range b.Miners {
			out = append(out, newPoint(e).tag("miner", strconv.Itoa(int(m.UID))).scored(m).line(e.Time))
		}
		return out
	default:
		return nil
	}
	return [][]byte{p.line(e.Time)}
}

// point is a point in the making.
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

// escaped is a tag's value as line protocol has it. What would end the line is left out.
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

func (p *point) flag(name string, b bool) *point {
	p.field(name)
	p.fields = strconv.AppendBool(p.fields, b)
	return p
}

// time adds a duration: "<of>_seconds".
func (p *point) time(of string, d time.Duration) *point {
	return p.number(strings.TrimPrefix(of+"_seconds", "_"), d.Seconds())
}

// line is the point as it is sent.
func (p *point) line(at time.Time) []byte {
	b := append(append(append(p.tags, ' '), p.fields...), ' ')
	return append(strconv.AppendInt(b, at.UnixNano(), 10), '\n')
}

func (p *point) gathered(g telemetry.Gathered) {
	verdicts := make([]protocol.Verdict, 0, len(g.Verdicts))
	for _, v := range g.Verdicts {
		verdicts = append(verdicts, v.Verdict)
	}
	p.count("peers", uint64(len(g.Verdicts))).number("success_rate", g.SuccessRate()).count("bytes", uint64(g.Bytes)).time("", g.Duration).verdicts(verdicts)
}

func (p *point) published(b telemetry.Published) {
	verdicts := make([]protocol.Verdict, 0, len(b.Skipped))
	for _, v := range b.Skipped {
		verdicts = append(verdicts, v)
	}
	p.count("peers_selected", uint64(len(b.Included)+len(b.Skipped))).count("peers_included", uint64(len(b.Included))).
		number("success_rate", b.SuccessRate()).count("bytes", uint64(b.Bytes)).flag("ours", b.Ours).
		time("gather", b.Gather).time("aggregate", b.Aggregate).time("publish", b.Publish).verdicts(verdicts)
}

// verdicts counts the peers whose gradient cannot be used, by the reason: "skipped_late=2i".
func (p *point) verdicts(all []protocol.Verdict) {
	counts := make(map[string]uint64)
	for _, v := range all {
		if !v.OK() {
			counts["skipped_"+strings.ReplaceAll(v.String(), "-", "_")]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		p.count(name, counts[name])
	}
}

func (p *point) compared(s telemetry.SampleDistance) *point {
	if p.flag("ok", s.Verdict.OK()); s.Verdict.OK() {
		p.number("l2", s.L2).number("mean_abs", s.MeanAbs).number("steps_behind", s.StepsBehind)
	}
	return p
}

func (p *point) scored(m telemetry.MinerScore) *point {
	return p.number("gradient_score", m.GradientScore).number("mu", m.Mu).number("sigma", m.Sigma).number("ordinal", m.Ordinal).
		number("binary_average", m.BinaryAverage).number("sync_score", m.SyncScore).number("final", m.Final).number("weight", m.Weight).
		flag("evaluated", m.Evaluated).count("penalties", uint64(len(m.Notes)))
}
