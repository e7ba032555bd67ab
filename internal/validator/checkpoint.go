package validator

import (
	"context"
	"fmt"
	"sync"

	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
)

// checkpoint saves the committed state in the own directory when one is due. From there it is put
// into the bucket while the validator goes on: a second copy in memory, or windows lost to a slow
// link, would be the alternatives. A failed checkpoint stays due, and the next window tries again.
func (v *Validator) checkpoint(ctx context.Context) error {
	if !v.owed {
		return nil
	}
	next := v.model.Next()
	if _, _, err := v.Saver.SaveWith(ctx, v.Local, checkpoint.State{
		Start: v.model.Start(), Next: next, Previous: v.model.Previous(), Term: v.model.Term(), Params: v.model.Params(), Hash: v.model.StateHash,
	}, checkpoint.Options{Final: v.model.Final().Next}); err != nil {
		return err
	}
	v.owed = false
	v.shelf.put(next)
	return nil
}

// shelf is the newest checkpoint in the own directory that is not in the bucket yet, and whether more
// will come.
type shelf struct {
	mu struct {
		sync.Mutex
		next   protocol.Window // 0: none
		closed bool
	}
}

func (s *shelf) put(next protocol.Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.next = next
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
}

// newest returns what is to be published, and whether more will come.
func (s *shelf) newest() (next protocol.Window, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.next, !s.mu.closed
}

// taken forgets a checkpoint, unless a newer one has come.
func (s *shelf) taken(next protocol.Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.next == next {
		s.mu.next = 0
	}
}

// withPublisher runs work, and meanwhile puts the checkpoints that it saves into the bucket, for nodes that
// join or return. What fails is tried again; the last one is settle's.
func (v *Validator) withPublisher(ctx context.Context, work func(context.Context) error) (err error) {
	v.shelf = new(shelf)
	clock.Both(v.Clock, func() {
		defer v.shelf.close()
		err = work(ctx)
	}, func() {
		for {
			next, more := v.shelf.newest()
			if next > 0 {
				if err := v.publishCheckpoint(ctx, next); err != nil && ctx.Err() == nil {
					v.Log.Warn("checkpoint not published, trying again", "err", err)
				}
			}
			if !more || v.Clock.Sleep(ctx, v.Params.BlockTime()) != nil {
				return
			}
		}
	})
	return err
}

// publishCheckpoint puts a checkpoint from the own directory into the bucket.
func (v *Validator) publishCheckpoint(ctx context.Context, next protocol.Window) error {
	prefix, size, err := v.Saver.Copy(ctx, v.Local, v.Outbox.Bucket, next)
	if err != nil {
		return err
	}
	v.shelf.taken(next)
	if err := checkpoint.Discard(ctx, v.Local, next); err != nil {
		v.Log.Warn("a published checkpoint was not removed from the data directory", "err", err)
	}
	v.Events.Emit(next-1, telemetry.Checkpointed{Prefix: prefix, Bytes: size})
	return nil
}

// lastTries is how often the last checkpoint is tried, a block's time apart.
const lastTries = 10

// settle saves the last checkpoint if it is still due, since no later window will. A run whose
// result cannot be saved has failed.
func (v *Validator) settle(ctx context.Context) (err error) {
	for range lastTries {
		err = v.checkpoint(ctx)
		if next, _ := v.shelf.newest(); err == nil && next > 0 {
			err = v.publishCheckpoint(ctx, next)
		}
		if err == nil {
			return nil
		}
		v.Log.Error("last checkpoint not saved, trying again", "err", err)
		if err := v.Clock.Sleep(ctx, v.Params.BlockTime()); err != nil {
			return err
		}
	}
	return fmt.Errorf("validator: last checkpoint not saved in %d tries; start it again to go on: %w", lastTries, err)
}

// catchUp applies the Aggregates before target in one step, without judging miners.
func (v *Validator) catchUp(ctx context.Context, target protocol.Window) error {
	target = min(target, v.stop)
	end, err := v.Schedule.EndOf(ctx, target-1)
	if err != nil {
		return err
	}
	done, err := v.model.Follow(ctx, v.Source, target, v.Schedule.AggregateDeadline(end), func(a *run.Aggregate, hash protocol.Hash, size int64) error {
		v.absent.Add(a)
		v.Events.Emit(a.Window, v.model.Applied(a, hash, size))
		v.owed = v.owed || v.model.Step()%v.Params.CheckpointFrequency == 0 || v.model.Next() == v.stop
		return nil
	})
	if err == nil {
		err = v.checkpoint(ctx)
	}
	if err == nil && !done {
		err = fmt.Errorf("no aggregate of window %d yet", v.model.Next())
	}
	return err
}
