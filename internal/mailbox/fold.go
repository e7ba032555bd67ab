package mailbox

import (
	"templar/codec"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Fold aggregates the usable payloads, which stand in ascending uid. It returns nil
// when there are none.
func Fold(c *codec.Codec, payloads []Payload) *codec.Update {
	var bodies []*codec.Gradient
	for _, p := range payloads {
		if p.Verdict.OK() {
			bodies = append(bodies, p.Gradient.Body)
		}
	}
	if len(bodies) == 0 {
		return nil
	}
	return c.Aggregate(bodies)
}

// Applied sums up for telemetry what an Aggregate did.
func Applied(a *wire.Aggregate, hash, state protocol.Hash, step uint64, size int64) telemetry.Applied {
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
