package mailbox

import (
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Applied sums up for telemetry what an Aggregate did.
func Applied(a *run.Aggregate, hash, state protocol.Hash, step uint64, size int64) telemetry.Applied {
	e := telemetry.Applied{
		Aggregate: hash, State: state, Step: step, LearningRate: a.LearningRate, AggregateBytes: size,
		Skipped: make(map[protocol.UID]protocol.Verdict, len(a.Skipped)),
	}
	for _, in := range a.Included {
		e.Included = append(e.Included, in.UID)
	}
	for _, s := range a.Skipped {
		e.Skipped[s.UID] = s.Verdict
	}
	return e
}
