package telemetry

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"templar/protocol"
)

// LogSink writes each event as one line under constant keys. What an operator
// follows from window to window is Info; the steps in between, and what would be a
// line for each peer, are Debug; what asks for a person's attention is Warn.
func LogSink(log *slog.Logger) Sink {
	return SinkFunc(func(e Event) {
		log := log.With("window", uint64(e.Window), "node", e.Node)
		if e.Role == Miner || e.Role == Validator { // the others have no slot on the chain
			log = log.With("uid", int(e.UID))
		}
		logEvent(log, e)
	})
}

func logEvent(log *slog.Logger, e Event) {
	switch b := e.Body.(type) {
	case Phase:
		log.Debug("phase", "phase", b.Name)
	case Block:
		log.Debug("block", "block", b.Number)
	case Started:
		log.Info("started", "start_window", uint64(b.StartWindow), "parameters", b.Parameters, "state", b.StateHash.Short())
	case Trained:
		log.Info("trained", "loss", round(b.Loss), "tokens", b.Tokens, "batches", b.Batches, "took", short(b.Duration))
	case Uploaded:
		log.Debug("uploaded", "key", b.Key, "bytes", b.Bytes, "took", short(b.Duration))
	case Gathered:
		log.Debug("gathered", "verdict", peerVerdicts(b.Verdicts), "success", round(b.SuccessRate()), "bytes", b.Bytes, "took", short(b.Duration))
	case Published:
		log.Info("published", "aggregate", b.Hash.Short(), "bytes", b.Bytes, "included", uids(b.Included), "skipped", Skipped(b.Skipped), "ours", b.Ours,
			"success", round(b.SuccessRate()), "gather", short(b.Gather), "aggregation", short(b.Aggregate), "publication", short(b.Publish))
	case Applied:
		logApplied(log, b)
	case Audited:
		if !b.Honest {
			log.Warn("aggregate is not the sum of its gradients", "gradients", b.Gradients)
			return
		}
		log.Debug("audited", "gradients", b.Gradients)
	case Evaluated:
		log.Debug("evaluated", "miners", b.Miners, "took", short(b.Duration))
	case Compared:
		for _, s := range b.Samples {
			log.Debug("compared", "miner", int(s.UID), "verdict", s.Verdict.String(), "l2", s.L2, "mean_abs", s.MeanAbs, "steps_behind", round(s.StepsBehind))
		}
	case Scored:
		for _, m := range b.Miners {
			logScore(log, m)
		}
	case WeightsSet:
		logWeights(log, b)
	case Checkpointed:
		log.Info("checkpoint", "prefix", b.Prefix, "bytes", b.Bytes)
	case HeldOut:
		log.Info("held-out", "loss", round(b.Loss), "tokens", b.Tokens)
	}
}

func logApplied(log *slog.Logger, b Applied) {
	if b.Provisional {
		log.Warn("applied provisionally", "step", b.Step, "included", uids(b.Included))
		return
	}
	log.Info("applied", "step", b.Step, "state", b.State.Short(), "aggregate", b.Aggregate.Short(), "rate", strconv.FormatFloat(float64(b.LearningRate), 'g', -1, 32))
}

func logScore(log *slog.Logger, m MinerScore) {
	log.Debug("scored", "miner", int(m.UID), "evaluated", m.Evaluated, "gradient_score", round(m.GradientScore), "ordinal", round(m.Ordinal),
		"binary", round(m.BinaryAverage), "sync", round(m.SyncScore), "final", round(m.Final), "weight", round(m.Weight), "notes", strings.Join(m.Notes, "; "))
}

func logWeights(log *slog.Logger, b WeightsSet) {
	if !b.Accepted {
		log.Warn("weights refused", "block", b.Block, "reason", b.Reason)
		return
	}
	log.Info("weights set", "block", b.Block)
}

// Skipped writes a window's skipped peers for people: "2 late, 5 missing".
func Skipped(skipped map[protocol.UID]protocol.Verdict) string {
	var words []string
	for _, uid := range slices.Sorted(maps.Keys(skipped)) {
		words = append(words, fmt.Sprintf("%d %v", uid, skipped[uid]))
	}
	return strings.Join(words, ", ")
}

func peerVerdicts(peers []PeerVerdict) string {
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
