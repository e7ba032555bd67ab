// Package schedule computes the times of a run: the chain's current window, the begin and end of
// a window, the deadline of its Aggregate, and how long a node waits for others. Time comes from
// blocks and from a clock.
package schedule

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/protocol"
)

// Blocks is the part of a chain that a schedule reads.
type Blocks interface {
	Head(context.Context) (chain.Block, error)
	Wait(ctx context.Context, n uint64) (chain.Block, error)
	Block(ctx context.Context, n uint64) (chain.Block, error)
	Randomness(ctx context.Context, n uint64) (protocol.Hash, error)
}

// Schedule counts a run's windows and deadlines.
type Schedule struct {
	Params *protocol.Params
	Blocks Blocks // nil where there is no chain to ask: then only EndIfKnown, and what needs no block
	Clock  clock.Clock
}

// Poll is the pause between two requests for an object that does not exist yet: short compared
// with a block, and long enough not to load a store.
func (s Schedule) Poll() time.Duration {
	return min(max(s.Params.BlockTime()/4, 20*time.Millisecond), 2*time.Second)
}

// Pause is the time until an object is asked for again that did not exist after so long a wait: an eighth
// of the wait, between a fiftieth of a block's time and Poll. So the wait grows by an eighth at most, and the number
// of requests with its logarithm: about 8 + 8 ln(wait/(8 * least)).
func (s Schedule) Pause(waited time.Duration) time.Duration {
	least := min(max(s.Params.BlockTime()/50, 5*time.Millisecond), 250*time.Millisecond)
	return max(least, min(waited/8, s.Poll()))
}

// WithPatience bounds a read of other nodes' buckets outside the gather, so that a store that
// hangs costs a validator no window.
func (s Schedule) WithPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	return clock.WithTimeout(ctx, s.Clock, s.Params.Gather())
}

// WithTimeout bounds an exchange of objects that has no deadline of its own in the protocol.
func (s Schedule) WithTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return clock.WithTimeout(ctx, s.Clock, s.Params.WindowTime())
}

// CurrentWindow returns the window of the newest block.
func (s Schedule) CurrentWindow(ctx context.Context) (protocol.Window, error) {
	head, err := s.Blocks.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("head: %w", err)
	}
	return s.Params.WindowOf(head.Number), nil
}

// Upcoming returns the next window that starts late enough for all nodes to learn of it.
func (s Schedule) Upcoming(ctx context.Context) (protocol.Window, error) {
	head, err := s.Blocks.Head(ctx)
	if err != nil {
		return 0, err
	}
	const notice = 2 // blocks
	return s.Params.WindowOf(head.Number+notice) + 1, nil
}

// AwaitWindow waits until window w has begun and returns its first block.
func (s Schedule) AwaitWindow(ctx context.Context, w protocol.Window) (chain.Block, error) {
	return s.Blocks.Wait(ctx, s.Params.FirstBlock(w))
}

// EndOf returns the first block of the window after w, as soon as it exists: its time
// is T, from which the deadlines of w are counted.
func (s Schedule) EndOf(ctx context.Context, w protocol.Window) (chain.Block, error) {
	return s.Blocks.Wait(ctx, s.Params.FirstBlock(w+1))
}

// EndIfKnown is EndOf of a past window; nil where the chain does not have the block any more,
// or there is none to ask.
func (s Schedule) EndIfKnown(ctx context.Context, w protocol.Window) *chain.Block {
	if s.Blocks == nil {
		return nil
	}
	end, err := s.Blocks.Block(ctx, s.Params.FirstBlock(w+1))
	if err != nil {
		return nil
	}
	return &end
}

// draw returns the randomness of a block by the run's rule.
func (s Schedule) draw(ctx context.Context, n uint64) (protocol.Hash, error) {
	if s.Params.Randomness == protocol.RandomnessBeacon {
		return s.Blocks.Randomness(ctx, n)
	}
	b, err := s.Blocks.Wait(ctx, n)
	return b.Hash, err
}

// PageSeed assigns the pages of window w. A beacon's value is that of the block before the
// window, because it may come with the next block: miners would lose a block of training.
func (s Schedule) PageSeed(ctx context.Context, w protocol.Window) (protocol.Hash, error) {
	first := s.Params.FirstBlock(w)
	if s.Params.Randomness == protocol.RandomnessBeacon && first > 0 {
		first--
	}
	return s.draw(ctx, first)
}

// SelectionSeed draws which miners take the free places of the peer list that is made after
// window w.
func (s Schedule) SelectionSeed(ctx context.Context, w protocol.Window) (protocol.Hash, error) {
	return s.draw(ctx, s.Params.FirstBlock(w+1))
}

// EvaluationSeed returns the randomness at the first block after the upload
// deadline of the window that ended with block end: it is unknown to miners when they upload, and
// available to all nodes afterwards.
func (s Schedule) EvaluationSeed(ctx context.Context, end chain.Block) (protocol.Hash, error) {
	deadline := s.Params.UploadBounds(end.Time).Max
	for n := end.Number + 1; ; n++ {
		b, err := s.Blocks.Wait(ctx, n)
		if err != nil {
			return protocol.Hash{}, err
		}
		if b.Time.After(deadline) {
			return s.draw(ctx, n)
		}
	}
}

// AggregateDeadline is the time at which the Aggregate of the window that ended with block end is
// due. Nodes wait no longer, so that an aggregator that is down does not cost them the next window.
func (s Schedule) AggregateDeadline(end chain.Block) time.Time {
	return s.Params.AggregateDue(end.Time)
}

// StopAfter returns the first window after a number of windows; 0 means no end.
func StopAfter(start protocol.Window, windows uint64) protocol.Window {
	if windows == 0 {
		return math.MaxUint64
	}
	return start + protocol.Window(windows)
}

// Retention is the number of windows for which Aggregates, samples and reports are kept: long enough to catch
// up from the last checkpoints, and to verify what was done.
func Retention(p *protocol.Params) protocol.Window {
	return protocol.Window(4 * p.CheckpointFrequency)
}

// PayloadRetention is the number of windows for which gradients and their keys are kept, in their miners' buckets and in
// the aggregator's archive: long enough to recompute an Aggregate while it may still be charged. When the Aggregate of
// window w + PayloadRetention exists, the gradients of w may be gone.
func PayloadRetention(p *protocol.Params) protocol.Window {
	return cmp.Or(protocol.Window(p.PayloadWindows), Retention(p))
}

// PartRetention is the number of windows for which the parts of an Aggregate are relayed: validators read it ValidatorOffset
// windows later, and may be late.
func PartRetention(p *protocol.Params) protocol.Window { return protocol.Window(p.ValidatorOffset + 2) }

// Sweeps is the number of windows between two deletions of what is past its retention.
func Sweeps(p *protocol.Params) protocol.Window { return max(1, PayloadRetention(p)/4) }
