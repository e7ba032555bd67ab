package localnet

import (
	"sync/atomic"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/fault"
)

// chaosShare is the share of requests that meet a fault.
const chaosShare = 0.1

// chaos disturbs buckets with what befalls an honest store on a bad day, in doses that a
// window of a few seconds can take: slow and broken answers, lost requests, requests that
// were carried out though their answer was lost, bodies that end early or trickle in.
func (o *Options) chaos(clk clock.Clock) func(store.Bucket) store.Bucket {
	if !o.Chaos {
		return nil
	}
	slow, lost := fault.Fault{Delay: 300 * time.Millisecond}, fault.Fault{Err: fault.ErrReset}
	reading := fault.Random(o.Seed, chaosShare, slow, lost, fault.Fault{Damage: fault.Truncate, At: 100}, fault.Fault{Drip: 100 << 10})
	writing := fault.Random(o.Seed, chaosShare, slow, lost, fault.Fault{Err: fault.ErrReset, Persist: true})
	var requests atomic.Int64 // of all buckets: one that is opened anew must not meet the same fault for ever
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
