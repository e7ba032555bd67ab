// Package telemetrytest has events for the tests of sinks.
package telemetrytest

import (
	"math"
	"time"

	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Window returns the events of one window at each role of a small network, in order: every
// kind of event occurs.
func Window(start, w protocol.Window, at time.Time) []telemetry.Event {
	step := uint64(w - start)
	skipped := map[protocol.UID]protocol.Verdict{2: protocol.VerdictLate, 5: protocol.VerdictMissing}
	state, aggregate := protocol.Hash{1, byte(w)}, protocol.Hash{2, byte(w)}
	applied := telemetry.Applied{
		Aggregate: aggregate, State: state, Step: step, LearningRate: 4e-4, AggregateBytes: 56_000,
		Included: []protocol.UID{1, 3}, Skipped: skipped,
	}
	var out []telemetry.Event
	emit := func(node string, role telemetry.Role, uid protocol.UID, bodies ...telemetry.Body) {
		for _, b := range bodies {
			at = at.Add(time.Millisecond)
			out = append(out, telemetry.Event{Time: at, Node: node, Role: role, UID: uid, Window: w, Usage: telemetry.Usage{Busy: time.Duration(w) * time.Second, CPU: 2 * time.Duration(w) * time.Second}, Body: b})
		}
	}
	gathered := telemetry.Gathered{
		Verdicts: []telemetry.PeerVerdict{{UID: 1, Verdict: protocol.VerdictOK, Bytes: 9, Attempts: 1}, {UID: 2, Verdict: protocol.VerdictLate}, {UID: 3, Verdict: protocol.VerdictOK}, {UID: 5, Verdict: protocol.VerdictMissing}},
		Bytes:    26_000, Duration: 700 * time.Millisecond,
	}
	started := telemetry.Started{StartWindow: start, Parameters: 459_904, StateHash: state}
	emit("chain", "", 0, telemetry.Block{Number: uint64(w) * 7, Time: at})
	emit("miner-0", telemetry.Miner, 1,
		telemetry.Phase{Name: "starting"}, started, telemetry.Phase{Name: "training"},
		telemetry.Trained{Loss: 2.5, Tokens: 3072, Batches: 6, Pages: []uint64{4, 9}, Duration: 2 * time.Second},
		telemetry.Phase{Name: "uploading"},
		telemetry.Uploaded{Key: protocol.GradientKey(w, 1), Bytes: 13_000, Duration: 30 * time.Millisecond}, telemetry.Phase{Name: "fetching"}, applied)
	emit("aggregator-0", telemetry.Aggregator, 0, telemetry.Phase{Name: "gathering"}, gathered, telemetry.Published{
		Hash: aggregate, Step: step, Bytes: 56_000, Included: applied.Included, Skipped: skipped, Ours: true,
		Gather: 700 * time.Millisecond, Aggregate: 40 * time.Millisecond, Publish: 20 * time.Millisecond,
	})
	emit("validator-0", telemetry.Validator, 0,
		started, telemetry.Phase{Name: "selecting"}, telemetry.Phase{Name: "gathering"}, gathered, telemetry.Phase{Name: "eval uid 1"},
		telemetry.Evaluated{Miners: 2, Duration: 900 * time.Millisecond},
		telemetry.Compared{Samples: []telemetry.Sample{{UID: 1, Sync: score.Sync{Verdict: protocol.VerdictOK, Distance: score.Distance{L2: 0.25, MeanAbs: 0.125, StepsBehind: 0.5}}}, {UID: 2}}},
		telemetry.Scored{Miners: Lines(w)},
		telemetry.WeightsSet{Accepted: true, Block: uint64(w) * 7}, telemetry.WeightsSet{Reason: "too soon"},
		telemetry.Phase{Name: "applying"}, telemetry.Audited{Honest: true, Gradients: 2}, applied, telemetry.Checkpointed{Prefix: "checkpoint/", Bytes: 2_000_000})
	emit("evaluator-0", telemetry.Evaluator, 0, applied, telemetry.HeldOut{Loss: 2.4, Tokens: 1024, Bytes: 1024, Tasks: true},
		telemetry.Benchmarked{Duration: 9 * time.Second, Tasks: []telemetry.TaskScore{
			{Task: "hellaswag", Documents: 200, Acc: 0.26, AccErr: 0.031, Norm: 0.275, NormErr: 0.032, LogLikelihood: -61.5},
			{Task: "mmlu", Shots: 5, Documents: 570, Acc: 0.245, AccErr: 0.018, Norm: math.NaN(), NormErr: math.NaN(), LogLikelihood: -1.41},
		}})
	return out
}

// Lines are a validator's scores of four miners: two honest, one that was late, one that is gone.
func Lines(w protocol.Window) []score.Line {
	line := func(uid protocol.UID, mu, final, weight float64) score.Line {
		return score.Line{
			Observation: score.Observation{UID: uid, Hotkey: protocol.Hotkey{byte(uid)}, Losses: &score.Losses{OwnBefore: 2.6, OwnAfter: 2.5, RandomBefore: 2.7, RandomAfter: 2.65}},
			After: score.Record{
				UID: uid, Rating: score.Rating{Mu: mu, Sigma: 2}, GradientScore: 0.02, BinaryAverage: 0.6, SyncScore: 0.98,
				Final: final, Evaluations: 3, LastEvaluated: w,
			},
			Evaluated: true, Own: 0.04, Random: 0.02, Weight: weight,
		}
	}
	lines := []score.Line{line(1, 32, 16, 0.6), line(2, 25, 9, 0.1), line(3, 30, 14, 0.3), line(5, 20, 0, 0)}
	lines[1].Reasons = []score.Reason{{Kind: "late", Factor: 0.25, Detail: "its gradient was late"}}
	lines[3].Reasons = []score.Reason{{Kind: score.KindInactive, Factor: 0.75, Detail: "it uploads nothing"}}
	return lines
}
