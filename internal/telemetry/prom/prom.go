// Package prom shows events as Prometheus metrics. All lists them with unit, type and labels;
// docs/ops/metrics.md is made from that list.
//
// A Registry has a collector of its own: nothing is registered with the library's default
// registry, so that two networks run in one process side by side.
package prom

import (
	"net/http"
	"runtime"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Registry is a telemetry.Sink that holds the metrics of the nodes whose events it sees.
type Registry struct {
	registry   *prometheus.Registry
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec

	mu struct {
		sync.Mutex
		phases map[string]string          // by node: the one it is in
		usage  map[string]telemetry.Usage // by node: of its last event
	}
}

var _ telemetry.Sink = (*Registry)(nil)

// New returns a registry of a program's version. It also has the metrics of the Go runtime and of
// the process.
func New(version string) *Registry {
	r := &Registry{
		registry: prometheus.NewRegistry(), counters: map[string]*prometheus.CounterVec{},
		gauges: map[string]*prometheus.GaugeVec{}, histograms: map[string]*prometheus.HistogramVec{},
	}
	r.mu.phases, r.mu.usage = map[string]string{}, map[string]telemetry.Usage{}
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, m := range All() {
		labels := append([]string{labelNode, labelRole}, m.Labels...)
		switch {
		case m.Name == metricInfo:
			info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, m.Labels)
			info.WithLabelValues(version, runtime.Version()).Set(1)
			r.registry.MustRegister(info)
		case m.Type == Counter:
			r.counters[m.Name] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, labels)
			r.registry.MustRegister(r.counters[m.Name])
		case m.Type == Gauge:
			r.gauges[m.Name] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, labels)
			r.registry.MustRegister(r.gauges[m.Name])
		case m.Type == Histogram:
			r.histograms[m.Name] = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: durations()}, labels)
			r.registry.MustRegister(r.histograms[m.Name])
		}
	}
	return r
}

// durations are bounds in seconds that resolve a localnet's windows and a large run's.
func durations() []float64 { return prometheus.ExponentialBuckets(0.01, 2.5, 12) } // to 238 s

// Handler serves the metrics.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Emit takes one event.
func (r *Registry) Emit(e telemetry.Event) {
	r.spent(e)
	e.Visit(visitor{r})
}

// spent adds what the node's engine has computed since its last event.
func (r *Registry) spent(e telemetry.Event) {
	if e.Usage == (telemetry.Usage{}) {
		return
	}
	r.mu.Lock()
	u := r.mu.usage[e.Node]
	d := u.Advance(e.Usage)
	r.mu.usage[e.Node] = u
	r.mu.Unlock()
	r.add(e, metricEngine, d.Busy.Seconds())
	r.add(e, metricEngineCPU, d.CPU.Seconds())
}

func (r *Registry) set(e telemetry.Event, name string, value float64, labels ...string) {
	r.gauges[name].WithLabelValues(append([]string{e.Node, string(e.Role)}, labels...)...).Set(value)
}

func (r *Registry) add(e telemetry.Event, name string, value float64, labels ...string) {
	if value >= 0 { // a counter panics at what decreases it or is NaN
		r.counters[name].WithLabelValues(append([]string{e.Node, string(e.Role)}, labels...)...).Add(value)
	}
}

func (r *Registry) observe(e telemetry.Event, name string, seconds float64) {
	r.histograms[name].WithLabelValues(e.Node, string(e.Role)).Observe(seconds)
}

// visitor keeps the methods of telemetry.Visitor out of the documentation of Registry.
type visitor struct{ *Registry }

var _ telemetry.Visitor = visitor{}

func (v visitor) Phase(e telemetry.Event, p telemetry.Phase) {
	name := phase(p.Name)
	v.mu.Lock()
	before := v.mu.phases[e.Node]
	v.mu.phases[e.Node] = name
	v.mu.Unlock()
	if before != "" && before != name {
		v.set(e, metricPhase, 0, before)
	}
	v.set(e, metricPhase, 1, name)
	v.set(e, metricPhaseWindow, float64(e.Window))
}

// phase is a phase as a label, without the uid that a validator names while it evaluates.
func phase(name string) string {
	const evaluating = "eval uid "
	if len(name) > len(evaluating) && name[:len(evaluating)] == evaluating {
		return "evaluating"
	}
	return name
}

func (v visitor) Block(e telemetry.Event, b telemetry.Block) {
	v.set(e, metricBlock, float64(b.Number))
}

func (v visitor) Started(e telemetry.Event, s telemetry.Started) {
	v.set(e, metricStart, float64(s.StartWindow))
	v.set(e, metricParameters, float64(s.Parameters))
}

func (v visitor) Trained(e telemetry.Event, t telemetry.Trained) {
	v.set(e, metricLoss, t.Loss)
	v.add(e, metricTokens, float64(t.Tokens))
	v.add(e, metricBatches, float64(t.Batches))
	v.add(e, metricTraining, t.Duration.Seconds())
}

func (v visitor) Uploaded(e telemetry.Event, u telemetry.Uploaded) {
	v.add(e, metricSent, float64(u.Bytes))
	v.observe(e, metricUploads, u.Duration.Seconds())
}

func (v visitor) Gathered(e telemetry.Event, g telemetry.Gathered) {
	v.add(e, metricReceived, float64(g.Bytes))
	v.set(e, metricGatherRate, g.SuccessRate())
	v.observe(e, metricGathers, g.Duration.Seconds())
	for _, p := range g.Verdicts {
		v.add(e, metricVerdicts, 1, p.Verdict.String())
	}
}

func (v visitor) Published(e telemetry.Event, p telemetry.Published) {
	v.done(e, p.Step, len(p.Included), p.Skipped)
	v.set(e, metricPublishedRate, p.SuccessRate())
	if p.Ours {
		v.add(e, metricSent, float64(p.Bytes))
		v.observe(e, metricAggregation, p.Aggregate.Seconds())
		v.observe(e, metricPublication, p.Publish.Seconds())
	}
}

func (v visitor) Applied(e telemetry.Event, a telemetry.Applied) {
	if a.Provisional {
		v.set(e, metricProvisional, 1)
		v.add(e, metricProvisionals, 1)
		return
	}
	v.set(e, metricProvisional, 0)
	v.add(e, metricReceived, float64(a.AggregateBytes))
	v.set(e, metricRate, float64(a.LearningRate))
	v.done(e, a.Step, len(a.Included), a.Skipped)
}

// done records the end of a window at the node.
func (v visitor) done(e telemetry.Event, step uint64, included int, skipped map[protocol.UID]protocol.Verdict) {
	v.set(e, metricWindow, float64(e.Window))
	v.set(e, metricWindowTime, float64(e.Time.UnixMilli())/1e3)
	v.set(e, metricStep, float64(step))
	v.set(e, metricIncluded, float64(included))
	for uid, verdict := range skipped {
		v.add(e, metricSkipped, 1, number(uid), verdict.String())
	}
}

func number(uid protocol.UID) string { return strconv.Itoa(int(uid)) }

func (v visitor) Audited(e telemetry.Event, a telemetry.Audited) {
	v.add(e, metricAudits, 1)
	wrong := 0.0
	if !a.Honest {
		wrong = 1
	}
	v.add(e, metricAuditsFalse, wrong) // 0 makes the series, so that an alarm's rate exists
}

func (v visitor) Evaluated(e telemetry.Event, d telemetry.Evaluated) {
	v.observe(e, metricEvaluations, d.Duration.Seconds())
}

func (v visitor) Compared(e telemetry.Event, c telemetry.Compared) {
	for _, s := range c.Samples {
		if s.Verdict.OK() {
			v.set(e, metricSyncDistance, float64(s.StepsBehind), number(s.UID))
		}
	}
}

func (v visitor) Scored(e telemetry.Event, s telemetry.Scored) {
	for i := range s.Miners {
		v.scored(e, &s.Miners[i])
	}
}

func (v visitor) scored(e telemetry.Event, l *score.Line) {
	uid, a := number(l.UID), &l.After
	v.set(e, metricScoreGradient, a.GradientScore, uid)
	v.set(e, metricScoreMu, a.Mu, uid)
	v.set(e, metricScoreSigma, a.Sigma, uid)
	v.set(e, metricScoreOrdinal, a.Ordinal(), uid)
	v.set(e, metricScoreBinary, a.BinaryAverage, uid)
	v.set(e, metricScoreSync, a.SyncScore, uid)
	v.set(e, metricScoreFinal, a.Final, uid)
	v.set(e, metricScoreWeight, l.Weight, uid)
	v.add(e, metricScorePenalties, float64(l.Penalties()), uid)
}

func (v visitor) WeightsSet(e telemetry.Event, w telemetry.WeightsSet) {
	if !w.Accepted {
		v.add(e, metricWeightsRefused, 1)
		return
	}
	v.add(e, metricWeights, 1)
	v.add(e, metricWeightsRefused, 0) // makes the series, so that an alarm's rate exists
	v.set(e, metricWeightsBlock, float64(w.Block))
}

func (v visitor) Checkpointed(e telemetry.Event, c telemetry.Checkpointed) {
	v.add(e, metricCheckpoints, 1)
	v.add(e, metricSent, float64(c.Bytes))
	v.set(e, metricCheckpointSize, float64(c.Bytes))
}

func (v visitor) HeldOut(e telemetry.Event, h telemetry.HeldOut) {
	v.set(e, metricHeldOutLoss, h.Loss)
	v.set(e, metricHeldOutPerplex, h.Perplexity())
	v.set(e, metricHeldOutWindow, float64(e.Window))
	if h.Bytes > 0 {
		v.set(e, metricHeldOutBits, h.BitsPerByte())
	}
}

func (v visitor) Benchmarked(e telemetry.Event, b telemetry.Benchmarked) {
	for _, t := range b.Tasks {
		v.set(e, metricTaskAcc, t.Acc, t.Task, "acc")
		v.set(e, metricTaskErr, t.AccErr, t.Task, "acc")
		if metric, value := t.Main(); metric != "acc" {
			v.set(e, metricTaskAcc, value, t.Task, metric)
			v.set(e, metricTaskErr, t.NormErr, t.Task, metric)
		}
		v.set(e, metricTaskLikelihood, t.LogLikelihood, t.Task)
		v.set(e, metricTaskDocuments, float64(t.Documents), t.Task)
	}
	v.set(e, metricTaskWindow, float64(e.Window))
}
