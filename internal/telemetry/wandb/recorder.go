package wandb

import (
	"strconv"
	"time"

	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// step is all that a node measured in a window.
type step struct {
	number int64
	time   time.Time
	values []Value
}

// recorder collects a node's values until the event that ends a window.
type recorder struct {
	start   protocol.Window // of the run; zero while not known
	tokens  int64           // trained on by this process
	phases  telemetry.Phases
	pending []Value
	done    *step
}

var _ telemetry.Visitor = (*recorder)(nil)

// take returns the step that the last event ended, if it ended one.
func (r *recorder) take() *step {
	done := r.done
	r.done = nil
	return done
}

func (r *recorder) add(name string, value any) { r.pending = append(r.pending, Value{name, value}) }

// end ends the step. Of several values with one name the last counts.
func (r *recorder) end(number int64) {
	place := make(map[string]int, len(r.pending))
	values := make([]Value, 0, len(r.pending))
	for _, v := range r.pending {
		if i, ok := place[v.Name]; ok {
			values[i] = v
			continue
		}
		place[v.Name] = len(values)
		values = append(values, v)
	}
	r.done = &step{number: number, values: append(values, Value{"step", number})}
	r.pending = r.pending[:0]
}

func (r *recorder) Phase(e telemetry.Event, p telemetry.Phase) { r.phases.Enter(e.Time, p.Name) }
func (r *recorder) Block(telemetry.Event, telemetry.Block)     {} // the same at each node

func (r *recorder) Started(_ telemetry.Event, s telemetry.Started) { r.start = s.StartWindow }

func (r *recorder) Trained(_ telemetry.Event, t telemetry.Trained) {
	r.tokens += int64(t.Tokens)
	r.add("miner/loss", t.Loss)
	r.add("miner/window_entry_loss", t.Loss)
	r.add("miner/batch_tokens", t.Tokens)
	r.add("miner/total_tokens", r.tokens)
	r.add("miner/timing/training", t.Duration.Seconds())
	if seconds := t.Duration.Seconds(); seconds > 0 {
		r.add("miner/tokens_per_sec", float64(t.Tokens)/seconds)
		r.add("miner/batch_duration", seconds/float64(max(t.Batches, 1)))
	}
}

func (r *recorder) Uploaded(e telemetry.Event, u telemetry.Uploaded) {
	if e.Role == telemetry.Miner {
		r.add("miner/timing/put", u.Duration.Seconds())
		r.add("miner/gradient_bytes", u.Bytes)
	}
}

func (r *recorder) Gathered(e telemetry.Event, g telemetry.Gathered) {
	r.add(string(e.Role)+"/timing/gather", g.Duration.Seconds())
	r.add(string(e.Role)+"/gather/success_rate", 100*g.SuccessRate())
}

func (r *recorder) Published(e telemetry.Event, p telemetry.Published) {
	r.add("aggregator/network/window", uint64(e.Window))
	r.add("aggregator/network/selected_uids", len(p.Included)+len(p.Skipped))
	r.add("aggregator/gather/success_rate", 100*p.SuccessRate())
	r.add("aggregator/gather/successful_uids", len(p.Included))
	r.add("aggregator/gather/failed_uids", len(p.Skipped))
	r.add("aggregator/gather/skipped", telemetry.Skipped(p.Skipped))
	r.add("aggregator/timing/gather", p.Gather.Seconds())
	r.add("aggregator/timing/process", p.Aggregate.Seconds())
	r.add("aggregator/timing/put", p.Publish.Seconds())
	r.add("aggregator/timing/window_total", (p.Gather + p.Aggregate + p.Publish).Seconds())
	r.end(int64(p.Step))
}

func (r *recorder) Applied(e telemetry.Event, a telemetry.Applied) {
	selected := len(a.Included) + len(a.Skipped)
	spent, total := r.phases.Next(e.Time)
	switch e.Role {
	case telemetry.Miner:
		r.add("miner/global_step", a.Step)
		r.add("miner/gather_peers", len(a.Included))
		r.add("miner/provisional", a.Provisional)
		r.add("miner/timing/window_total", total.Seconds())
		r.add("miner/timing/gather", spent["fetching"].Seconds())
		if !a.Provisional {
			r.add("miner/learning_rate", float64(a.LearningRate))
			if selected > 0 {
				r.add("miner/gather/success_rate", 100*float64(len(a.Included))/float64(selected))
			}
		}
	case telemetry.Validator:
		if a.Provisional {
			return
		}
		r.add("validator/network/window", uint64(e.Window))
		r.add("validator/network/step", a.Step)
		r.add("validator/optimizer/learning_rate", float64(a.LearningRate))
		r.add("validator/optimizer/outer_lr", float64(a.LearningRate))
		r.add("validator/timing/window_total", total.Seconds())
		r.add("validator/timing/peer_update", spent["selecting"].Seconds())
		r.add("validator/timing/model_update", spent["applying"].Seconds())
	default: // an evaluator's step ends with its measurement
		return
	}
	r.end(int64(a.Step))
}

func (r *recorder) Audited(_ telemetry.Event, a telemetry.Audited) {
	r.add("validator/aggregator_gradient", a.Honest)
}

func (r *recorder) Evaluated(_ telemetry.Event, v telemetry.Evaluated) {
	r.add("validator/network/evaluated_uids", v.Miners)
	r.add("validator/timing/evaluation", v.Duration.Seconds())
}

func (r *recorder) Compared(_ telemetry.Event, c telemetry.Compared) {
	for _, s := range c.Samples {
		if uid := "/" + strconv.Itoa(int(s.UID)); s.Verdict.OK() {
			r.add("validator/sync/l2_norm"+uid, float64(s.L2))
			r.add("validator/sync/avg_abs_diff"+uid, float64(s.MeanAbs))
			r.add("validator/sync/avg_steps_behind"+uid, float64(s.StepsBehind))
		}
	}
}

func (r *recorder) Scored(_ telemetry.Event, s telemetry.Scored) {
	for i := range s.Miners {
		r.scored(&s.Miners[i])
	}
	r.add("validator/network/active_miners", score.Active(s.Miners))
	if m, ok := score.MeanLosses(s.Miners); ok {
		r.improvement("own", float64(m.OwnBefore), float64(m.OwnAfter))
		r.improvement("random", float64(m.RandomBefore), float64(m.RandomAfter))
	}
}

func (r *recorder) improvement(of string, before, after float64) {
	r.add("validator/loss/"+of+"/before", before)
	r.add("validator/loss/"+of+"/after", after)
	r.add("validator/loss/"+of+"/improvement", before-after)
}

func (r *recorder) scored(l *score.Line) {
	a, uid := &l.After, "/"+strconv.Itoa(int(l.UID))
	if l.Evaluated {
		indicator := -1
		if l.Own > l.Random {
			indicator = 1
		}
		r.add("validator/binary_indicators"+uid, indicator)
	}
	r.add("validator/gradient_scores"+uid, a.GradientScore)
	r.add("validator/binary_moving_averages"+uid, a.BinaryAverage)
	r.add("validator/sync_score"+uid, a.SyncScore)
	r.add("validator/final_scores"+uid, a.Final)
	r.add("validator/weights"+uid, l.Weight)
	r.add("validator/openskill/mu"+uid, a.Mu)
	r.add("validator/openskill/sigma"+uid, a.Sigma)
	r.add("validator/openskill/ordinal"+uid, a.Ordinal())
	for _, reason := range l.Reasons {
		of := ""
		switch {
		case reason.Kind == score.KindInactive || reason.Kind == score.KindReset:
			of = "validator/inactivity" + uid
		case reason.Factor != 1:
			of = "validator/slash" + uid
			r.add(of+"/reason", reason.String())
		default:
			continue
		}
		r.add(of+"/score_before", l.Before.Final)
		r.add(of+"/score_after", a.Final)
	}
}

func (r *recorder) WeightsSet(e telemetry.Event, w telemetry.WeightsSet) {
	r.add("validator/weights_accepted", w.Accepted)
	if w.Accepted {
		r.add("validator/network/block", w.Block)
	}
}

func (r *recorder) Checkpointed(e telemetry.Event, c telemetry.Checkpointed) {
	r.add(string(e.Role)+"/checkpoint_bytes", c.Bytes)
}

func (r *recorder) HeldOut(e telemetry.Event, h telemetry.HeldOut) {
	r.add("evaluator/custom_eval/average_loss", h.Loss)
	r.add("evaluator/custom_eval/perplexity", h.Perplexity())
	r.add("evaluator/custom_eval/total_tokens", h.Tokens)
	if h.Bytes > 0 {
		r.add("evaluator/custom_eval/bpb", h.BitsPerByte())
		r.add("evaluator/custom_eval/total_bytes", h.Bytes)
	}
	if !h.Tasks {
		r.endMeasured(e)
	}
}

func (r *recorder) Benchmarked(e telemetry.Event, b telemetry.Benchmarked) {
	r.add("evaluator/benchmark/num_tasks", len(b.Tasks))
	for _, t := range b.Tasks {
		metric, value := t.Main()
		r.add("evaluator/benchmark/"+t.Task+"/"+metric+",none", value)
	}
	r.endMeasured(e)
}

// endMeasured ends the step of an evaluator: the number of updates that the measured model has had, 0 before the
// first window.
func (r *recorder) endMeasured(e telemetry.Event) { r.end(int64(e.Window) + 1 - int64(r.start)) }

// Values are the values of one node's events, without the prefixes of their names.
func Values(events []telemetry.Event) (out []Value) {
	var r recorder
	for _, e := range events {
		e.Visit(&r)
		if done := r.take(); done != nil {
			out = append(out, done.values...)
		}
	}
	return out
}
