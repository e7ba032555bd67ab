package aggregator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// The gradients that an Aggregate names are archived after its publication, so that no node waits for them, and
// within a window's time: before T of the next window, unless the store fails. Whatever is not archived then is
// owed, and is tried again before every later window and after a restart. Its sources are this node's disk and the
// miner's bucket, which has the same object: the Aggregate names it by content hash.

// archiveLimit bounds the payloads that are stored at once.
const archiveLimit = 8

// archive stores those payloads of the last Aggregate's window w that it names, and keeps copies.
func (a *Aggregator) archive(ctx context.Context, w protocol.Window, payloads []mailbox.Payload) {
	for _, p := range payloads {
		if p.Verdict.OK() {
			a.copy(ctx, protocol.ArchiveKey(w, p.Peer.UID), p.Opened())
		}
	}
	if err := a.settle(ctx); err != nil && ctx.Err() == nil {
		a.Log.Warn("gradients not archived, trying again", "window", w, "err", err)
	}
}

// settle archives what is owed, the oldest window first.
func (a *Aggregator) settle(ctx context.Context) error {
	for ; a.owed < a.next; a.owed++ {
		if a.owed+schedule.PayloadRetention(a.Params) < a.next {
			continue
		}
		n, err := a.namedBy(ctx, a.owed)
		if err == nil {
			err = a.putNamed(ctx, n)
		}
		if err != nil {
			return fmt.Errorf("archive of window %d: %w", a.owed, err)
		}
	}
	return nil
}

// named are the gradients that a published Aggregate names.
type named struct {
	window   protocol.Window
	from     time.Time // T
	included []wire.Included
}

func names(agg *run.Aggregate) named { return named{agg.Window, agg.UploadFrom, agg.Included} }

// namedBy returns what the Aggregate of a window names, which is in memory unless this process has not seen it.
// It names nothing where the bucket has lost it, which putBack settles.
func (a *Aggregator) namedBy(ctx context.Context, w protocol.Window) (named, error) {
	if a.newest.window == w && a.next == w+1 {
		return a.newest, nil
	}
	raw, _, err := store.ReadAll(ctx, a.Shelf.Bucket, protocol.AggregateKey(w, a.termOf(w)), -1)
	if errors.Is(err, store.ErrNotFound) {
		return named{}, nil
	}
	if err != nil {
		return named{}, err
	}
	c := a.decode(raw, w)
	if c == nil {
		return named{}, nil
	}
	return names(c.Aggregate), nil
}

// putNamed stores those gradients that an Aggregate names and the archive lacks.
func (a *Aggregator) putNamed(ctx context.Context, n named) error {
	errs := make([]error, len(n.included))
	a.Clock.Each(len(errs), archiveLimit, func(i int) { errs[i] = a.putGradient(ctx, n, n.included[i]) })
	return errors.Join(errs...)
}

// putGradient archives a gradient unless the archive has it, and replaces any other object.
func (a *Aggregator) putGradient(ctx context.Context, n named, in wire.Included) error {
	if done, err := a.archived(ctx, n, in); done || err != nil {
		return err
	}
	raw, err := a.source(ctx, n.window, in)
	if raw == nil {
		if err == nil {
			a.Log.Warn("no copy of a gradient that counted: the window cannot be recomputed", "window", n.window, "uid", in.UID)
		}
		return err
	}
	return store.PutBytes(ctx, a.Shelf.Bucket, protocol.ArchiveKey(n.window, in.UID), raw, store.PutOptions{})
}

// archived reports whether the archive has a gradient. Those of the last window are read; of older ones, which are
// many after a restart, an object from before the window is of another run.
func (a *Aggregator) archived(ctx context.Context, n named, in wire.Included) (bool, error) {
	key := protocol.ArchiveKey(n.window, in.UID)
	info, err := a.Shelf.Bucket.Head(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil || info.Size > a.MaxOpened():
		return false, err
	case n.window+1 < a.next:
		return info.LastModified.After(n.from.Add(-a.Params.Slack())), nil
	}
	raw, _, err := store.ReadAll(ctx, a.Shelf.Bucket, key, a.MaxOpened())
	return wire.GradientHash(raw) == in.Content, err
}

// lastTries is how often the last window's gradients are tried, a block's time apart.
const lastTries = 10

// finish archives what is still owed: no later window will.
func (a *Aggregator) finish(ctx context.Context) (err error) {
	for range lastTries {
		if err = a.settle(ctx); err == nil {
			return nil
		}
		a.Log.Error("gradients of the last window not archived, trying again", "err", err)
		if err := a.Clock.Sleep(ctx, a.Params.BlockTime()); err != nil {
			return err
		}
	}
	return fmt.Errorf("aggregator: not archived in %d tries; start it again to go on: %w", lastTries, err)
}

// source returns the bytes of a gradient that counted, from our disk or the miner's bucket; nil when neither has
// it. Our disk lacks those that only another aggregator received.
func (a *Aggregator) source(ctx context.Context, w protocol.Window, in wire.Included) ([]byte, error) {
	raw, _, err := store.ReadAll(ctx, a.Local, protocol.ArchiveKey(w, in.UID), a.MaxOpened())
	if err == nil && wire.GradientHash(raw) == in.Content {
		return raw, nil
	}
	_, raw, verdict := a.Gatherer.Named(ctx, w, a.Directory.Peers(), in)
	if verdict == protocol.VerdictUnreachable {
		return nil, fmt.Errorf("gradient of uid %d: %v", in.UID, verdict)
	}
	return raw, nil
}
