package influx

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// original writes the measurements of the Python original, as far as this program measures what they
// contain. A value that it does not measure is left out; the original would write 0 for it.
type original struct {
	tags   []Tag
	compat bool

	// Of the window under way.
	trained  telemetry.Trained
	put      float64 // seconds
	gathered telemetry.Gathered
	measured telemetry.Evaluated
	scored   []score.Line
	phases   telemetry.Phases

	start protocol.Window
	out   [][]byte
}

var _ telemetry.Visitor = (*original)(nil)

func (o *original) take() [][]byte {
	out := o.out
	o.out = nil
	return out
}

// newPoint begins a point of a measurement, whose name begins with the role's letter.
func (o *original) newPoint(e telemetry.Event, name string, step uint64) *point {
	letter := strings.ToUpper(string(e.Role)[:1])
	p := &point{tags: []byte(letter + name)}
	p.tag("role", string(e.Role)).tag("uid", strconv.Itoa(int(e.UID)))
	for _, t := range o.tags {
		p.tag(t.Name, t.Value)
	}
	if o.compat {
		return p.tag("window", strconv.FormatUint(uint64(e.Window), 10)).tag("global_step", strconv.FormatUint(step, 10))
	}
	return p.count("window", uint64(e.Window)).count("global_step", step)
}

func (o *original) add(e telemetry.Event, p *point) {
	if len(p.fields) > 0 {
		o.out = append(o.out, p.line(e.Time))
	}
}

func (o *original) Phase(e telemetry.Event, p telemetry.Phase)           { o.phases.Enter(e.Time, p.Name) }
func (o *original) Block(telemetry.Event, telemetry.Block)               {} // no number
func (o *original) Started(_ telemetry.Event, s telemetry.Started)       { o.start = s.StartWindow }
func (o *original) Trained(_ telemetry.Event, t telemetry.Trained)       { o.trained = t }
func (o *original) Gathered(_ telemetry.Event, g telemetry.Gathered)     { o.gathered = g }
func (o *original) Evaluated(_ telemetry.Event, v telemetry.Evaluated)   { o.measured = v }
func (o *original) Audited(telemetry.Event, telemetry.Audited)           {} // not in the original
func (o *original) WeightsSet(telemetry.Event, telemetry.WeightsSet)     {} // likewise
func (o *original) Checkpointed(telemetry.Event, telemetry.Checkpointed) {} // likewise

func (o *original) Uploaded(_ telemetry.Event, u telemetry.Uploaded) { o.put = u.Duration.Seconds() }

// uids are a list in a text field, as the original writes it.
func uids(list []protocol.UID) string {
	b, _ := json.Marshal(slices.Sorted(slices.Values(list))) // numbers
	if list == nil {
		return "[]"
	}
	return string(b)
}

func skippedUIDs(skipped map[protocol.UID]protocol.Verdict) string {
	return uids(slices.Collect(maps.Keys(skipped)))
}

func (o *original) Published(e telemetry.Event, p telemetry.Published) {
	o.add(e, o.newPoint(e, "aggregation_step", p.Step).number("success_rate", 100*p.SuccessRate()).
		count("peers_selected", uint64(len(p.Included)+len(p.Skipped))).count("successful_peers", uint64(len(p.Included))).count("failed_peers", uint64(len(p.Skipped))).
		number("gather_time", p.Gather.Seconds()).number("process_time", p.Aggregate.Seconds()).number("put_time", p.Publish.Seconds()).
		number("total_time", (p.Gather+p.Aggregate+p.Publish).Seconds()).
		text("selected_uids", uids(append(slices.Collect(maps.Keys(p.Skipped)), p.Included...))).text("skipped_uids", skippedUIDs(p.Skipped)))
}

func (o *original) Applied(e telemetry.Event, a telemetry.Applied) {
	if a.Provisional {
		return
	}
	rate := 0.0
	if n := len(a.Included) + len(a.Skipped); n > 0 {
		rate = 100 * float64(len(a.Included)) / float64(n)
	}
	switch e.Role {
	case telemetry.Miner:
		o.training(e, a, rate)
	case telemetry.Validator:
		o.validated(e, a, rate)
	}
	o.trained, o.put, o.gathered, o.measured, o.scored = telemetry.Trained{}, 0, telemetry.Gathered{}, telemetry.Evaluated{}, nil
}

func (o *original) training(e telemetry.Event, a telemetry.Applied, rate float64) {
	p := o.newPoint(e, "training_step_v2", a.Step).count("n_gather_peers", uint64(len(a.Included))).number("gather_success_rate", rate).
		text("gather_peers", uids(a.Included)).text("skipped_peers", skippedUIDs(a.Skipped))
	spent, total := o.phases.Next(e.Time)
	p.number("window_total_time", total.Seconds()).number("gather_time", spent["fetching"].Seconds())
	if t := o.trained; t.Batches > 0 {
		p.number("loss", t.Loss).number("put_time", o.put)
		if s := t.Duration.Seconds(); s > 0 {
			p.number("tokens_per_sec", float64(t.Tokens)/s)
		}
	}
	o.add(e, p)
}

func (o *original) validated(e telemetry.Event, a telemetry.Applied, rate float64) {
	p := o.newPoint(e, "validator_window_v2", a.Step).number("outer_lr", float64(a.LearningRate)).number("learning_rate", float64(a.LearningRate)).
		number("gather_success_rate", rate).number("gather_time", o.gathered.Duration.Seconds()).number("evaluation_time", o.measured.Duration.Seconds()).
		count("evaluated_uids_count", uint64(o.measured.Miners)).count("active_miners_count", uint64(score.Active(o.scored))).
		count("total_peers", uint64(len(a.Included)+len(a.Skipped))).count("total_skipped", uint64(len(a.Skipped)))
	spent, total := o.phases.Next(e.Time)
	p.number("window_total_time", total.Seconds()).number("peer_update_time", spent["selecting"].Seconds()).number("model_update_time", spent["applying"].Seconds())
	if m, ok := score.MeanLosses(o.scored); ok {
		p.number("loss_own_before", float64(m.OwnBefore)).number("loss_own_after", float64(m.OwnAfter)).number("loss_own_improvement", float64(m.OwnBefore-m.OwnAfter)).
			number("loss_random_before", float64(m.RandomBefore)).number("loss_random_after", float64(m.RandomAfter)).number("loss_random_improvement", float64(m.RandomBefore-m.RandomAfter))
	}
	o.add(e, p)
}

func (o *original) step(w protocol.Window) uint64 { return uint64(max(w, o.start) - o.start) }

func (o *original) Compared(e telemetry.Event, c telemetry.Compared) {
	for _, s := range c.Samples {
		if s.Verdict.OK() {
			o.add(e, o.newPoint(e, "validator_sync_score", o.step(e.Window)).tag("eval_uid", strconv.Itoa(int(s.UID))).
				number("l2_norm", float64(s.L2)).number("avg_abs_diff", float64(s.MeanAbs)).number("avg_steps_behind", float64(s.StepsBehind)))
		}
	}
}

func (o *original) Scored(e telemetry.Event, s telemetry.Scored) {
	o.scored = s.Miners
	step := o.step(e.Window)
	for i := range s.Miners {
		l := &s.Miners[i]
		a, uid := &l.After, strconv.Itoa(int(l.UID))
		indicator := -1.0
		if l.Own > l.Random {
			indicator = 1
		}
		p := o.newPoint(e, "validator_scores", step).tag("eval_uid", uid).number("gradient_score", a.GradientScore).
			number("binary_moving_avg", a.BinaryAverage).number("sync_score", a.SyncScore).number("final_score", a.Final).number("weight", l.Weight)
		if l.Evaluated {
			p.number("binary_indicator", indicator)
		}
		o.add(e, p)
		o.add(e, o.newPoint(e, "validator_openskill", step).tag("eval_uid", uid).number("mu", a.Mu).number("sigma", a.Sigma).number("ordinal", a.Ordinal()))
		for _, r := range l.Reasons {
			switch {
			case r.Kind == score.KindInactive || r.Kind == score.KindReset:
				o.add(e, o.newPoint(e, "validator_inactivity", step).tag("eval_uid", uid).number("score_before", l.Before.Final).number("score_after", a.Final))
			case r.Factor != 1:
				o.add(e, o.newPoint(e, "validator_slash", step).tag("eval_uid", uid).tag("reason_code", string(r.Kind)).
					number("score_before", l.Before.Final).number("score_after", a.Final).text("reason", r.String()))
			}
		}
	}
}

func (o *original) HeldOut(e telemetry.Event, h telemetry.HeldOut) {
	o.add(e, o.newPoint(e, "custom_evaluation", o.step(e.Window)).number("perplexity", h.Perplexity()).number("average_loss", h.Loss).
		number("bpb", h.BitsPerByte()).count("total_tokens", uint64(h.Tokens)).count("total_bytes", uint64(h.Bytes)))
}

func (o *original) Benchmarked(e telemetry.Event, b telemetry.Benchmarked) {
	step := o.step(e.Window)
	names := make([]string, len(b.Tasks))
	for i, t := range b.Tasks {
		metric, value := t.Main()
		o.add(e, o.newPoint(e, "benchmark_task", step).tag("task", t.Task).tag("metric", metric+",none").number("score", value))
		names[i] = t.Task
	}
	o.add(e, o.newPoint(e, "benchmark_metrics", step).tag("tasks", strings.Join(names, ",")).number("benchmark_runtime_s", b.Duration.Seconds()))
	o.add(e, o.newPoint(e, "benchmark_summary", step).count("num_tasks", uint64(len(b.Tasks))))
}

// OriginalPoints writes the events of one node as the original's measurements.
func OriginalPoints(events []telemetry.Event) (out [][]byte) {
	o := &original{}
	for _, e := range events {
		e.Visit(o)
		out = append(out, o.take()...)
	}
	return out
}
