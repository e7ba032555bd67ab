// Package log writes events as log lines.
package log

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

// New returns a sink that writes each event as one line under constant keys. What an
// operator follows from window to window is Info; the steps in between, and what would be a
// line for each peer, are Debug; what asks for a person's attention is Warn.
func New(log *slog.Logger) telemetry.Sink {
	return telemetry.SinkFunc(func(e telemetry.Event) {
		log := log.With("window", uint64(e.Window), "node", e.Node)
		if e.Role == telemetry.Miner || e.Role == telemetry.Validator { // the others have no slot on the chain
			log = log.With("uid", int(e.UID))
		}
		e.Visit(line{log})
	})
}

// line writes one event.
type line struct{ log *slog.Logger }

var _ telemetry.Visitor = line{}

func (l line) Phase(_ telemetry.Event, b telemetry.Phase) { l.log.Debug("phase", "phase", b.Name) }

func (l line) Block(_ telemetry.Event, b telemetry.Block) { l.log.Debug("block", "block", b.Number) }

func (l line) Started(_ telemetry.Event, b telemetry.Started) {
	l.log.Info("started", "start_window", uint64(b.StartWindow), "parameters", b.Parameters, "state", b.StateHash.Short())
}

func (l line) Trained(_ telemetry.Event, b telemetry.Trained) {
	l.log.Info("trained", "loss", round(b.Loss), "tokens", b.Tokens, "batches", b.Batches, "took", short(b.Duration))
}

func (l line) Uploaded(_ telemetry.Event, b telemetry.Uploaded) {
	l.log.Debug("uploaded", "key", b.Key, "bytes", b.Bytes, "took", short(b.Duration))
}

func (l line) Gathered(_ telemetry.Event, b telemetry.Gathered) {
	l.log.Debug("gathered", "verdict", peerVerdicts(b.Verdicts), "success", round(b.SuccessRate()), "bytes", b.Bytes, "took", short(b.Duration))
}

func (l line) Published(_ telemetry.Event, b telemetry.Published) {
	l.log.Info("published", "aggregate", b.Hash.Short(), "bytes", b.Bytes, "included", uids(b.Included), "skipped", telemetry.Skipped(b.Skipped), "ours", b.Ours,
		"success", round(b.SuccessRate()), "gather", short(b.Gather), "aggregation", short(b.Aggregate), "publication", short(b.Publish))
}

func (l line) Applied(_ telemetry.Event, b telemetry.Applied) {
	if b.Provisional {
		l.log.Warn("applied provisionally", "step", b.Step, "included", uids(b.Included))
		return
	}
	l.log.Info("applied", "step", b.Step, "state", b.State.Short(), "aggregate", b.Aggregate.Short(), "rate", strconv.FormatFloat(float64(b.LearningRate), 'g', -1, 32))
}

func (l line) Audited(_ telemetry.Event, b telemetry.Audited) {
	if !b.Honest {
		l.log.Warn("aggregate is false", "gradients", b.Gradients)
		return
	}
	if len(b.LeftOut) > 0 {
		l.log.Warn("aggregate leaves valid gradients out", "uids", uids(b.LeftOut))
	}
	l.log.Debug("audited", "gradients", b.Gradients)
}

func (l line) Evaluated(_ telemetry.Event, b telemetry.Evaluated) {
	l.log.Debug("evaluated", "miners", b.Miners, "took", short(b.Duration))
}

func (l line) Compared(_ telemetry.Event, b telemetry.Compared) {
	for _, s := range b.Samples {
		l.log.Debug("compared", "miner", int(s.UID), "verdict", s.Verdict.String(), "l2", float64(s.L2), "mean_abs", float64(s.MeanAbs), "steps_behind", round(float64(s.StepsBehind)))
	}
}

func (l line) Scored(_ telemetry.Event, b telemetry.Scored) {
	for i := range b.Miners {
		m := &b.Miners[i]
		l.log.Debug("scored", "miner", int(m.UID), "evaluated", m.Evaluated, "gradient_score", round(m.After.GradientScore), "ordinal", round(m.After.Ordinal()),
			"binary_average", round(m.After.BinaryAverage), "sync_score", round(m.After.SyncScore), "final", round(m.After.Final), "weight", round(m.Weight),
			"reasons", strings.Join(m.Notes(), "; "))
	}
}

func (l line) WeightsSet(_ telemetry.Event, b telemetry.WeightsSet) {
	if !b.Accepted {
		l.log.Warn("weights refused", "block", b.Block, "reason", b.Reason)
		return
	}
	l.log.Info("weights set", "block", b.Block)
}

func (l line) Checkpointed(_ telemetry.Event, b telemetry.Checkpointed) {
	l.log.Info("checkpoint", "prefix", b.Prefix, "bytes", b.Bytes)
}

func (l line) HeldOut(_ telemetry.Event, b telemetry.HeldOut) {
	log := l.log
	if bits := b.BitsPerByte(); !math.IsNaN(bits) { // which JSON has no number for
		log = log.With("bits_per_byte", round(bits))
	}
	log.Info("held-out", "loss", round(b.Loss), "perplexity", round(b.Perplexity()), "tokens", b.Tokens)
}

func (l line) Benchmarked(_ telemetry.Event, b telemetry.Benchmarked) {
	for _, t := range b.Tasks {
		metric, value := t.Main()
		l.log.Info("task", "task", t.Task, "shots", t.Shots, "documents", t.Documents, metric, round(value), "log_likelihood", round(t.LogLikelihood))
	}
}

func peerVerdicts(peers []telemetry.PeerVerdict) string {
	words := make([]string, len(peers))
	for i, p := range peers {
		words[i] = fmt.Sprintf("%d %v", p.UID, p.Verdict)
	}
	return strings.Join(words, ", ")
}

func uids(list []protocol.UID) string { return strings.Trim(fmt.Sprint(list), "[]") }

func round(x float64) float64 {
	const digits = 1e4
	if math.Abs(x) > 1e9 { // too coarse already; scaling could overflow
		return x
	}
	return math.Round(x*digits) / digits
}

func short(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
