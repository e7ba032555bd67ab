package localnet

import (
	"sync/atomic"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/fault"
)

// chaosShare is the share of requests that fail.
const chaosShare = 0.1

// chaos injects faults of an honest store into buckets, at a rate that a window of a few seconds
// tolerates: slow and broken responses, lost requests, requests that were executed although the
// response was lost, bodies that end early or arrive slowly.
func (o *Options) chaos(clk clock.Clock) func(store.Bucket) store.Bucket {
	if !o.Chaos {
		return nil
	}
	slow, lost := fault.Fault{Delay: 300 * time.Millisecond}, fault.Fault{Err: fault.ErrReset}
	reading := fault.Random(o.Seed, chaosShare, slow, lost, fault.Fault{Damage: fault.Truncate, At: 100}, fault.Fault{Drip: 100 << 10})
	writing := fault.Random(o.Seed, chaosShare, slow, lost, fault.Fault{Err: fault.ErrReset, Persist: true})
	var requests atomic.Int64 // of all buckets: a reopened bucket must not repeat the same fault forever
	numbered := func(op fault.Op) fault.Fault {
		op.Try = int(requests.Add(1))
		switch op.Name {
		case fault.Head, fault.Get, fault.Range, fault.List:
			return reading(op)
		}
		return writing(op)
	}
	return func(b store.Bucket) store.Bucket { return fault.Wrap(b, clk, numbered) }
}
