package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"templar/internal/store"
	"templar/protocol"
)

// Retention is the number of windows for which objects are kept: long enough to catch
// up from the last checkpoints, and to verify what was done.
func (x *Exchange) Retention() protocol.Window {
	return protocol.Window(4 * x.Params.CheckpointFrequency)
}

// PruneOwn deletes the node's own gradients and samples that are past their retention,
// now and then. next is the first window that is not applied.
func (x *Exchange) PruneOwn(ctx context.Context, next protocol.Window) error {
	return x.pruneKinds(ctx, x.Own, next, "gradient-", "debug-")
}

// PruneAggregates does the same in the aggregator bucket.
func (x *Exchange) PruneAggregates(ctx context.Context, next protocol.Window) error {
	return x.pruneKinds(ctx, x.Aggregator, next, "aggregator-", "archive-")
}

func (x *Exchange) pruneKinds(ctx context.Context, b store.Bucket, next protocol.Window, kinds ...string) error {
	if next <= x.Retention() || uint64(next)%x.Params.CheckpointFrequency != 0 {
		return nil
	}
	var errs []error
	for _, kind := range kinds {
		errs = append(errs, Prune(ctx, b, kind, next-x.Retention()))
	}
	return errors.Join(errs...)
}

// Prune deletes the objects of one kind ("gradient-", "debug-", ...) whose window is
// before keep. A key of another version or of a stranger's making is left alone.
func Prune(ctx context.Context, b store.Bucket, kind string, keep protocol.Window) error {
	var errs []error
	err := Each(ctx, b, kind, func(key string, w protocol.Window) {
		if w < keep {
			errs = append(errs, b.Delete(ctx, key))
		}
	})
	return errors.Join(append(errs, err)...)
}

// NewestWindow returns the largest window that an object of one kind is named after.
func NewestWindow(ctx context.Context, r store.Reader, kind string) (w protocol.Window, found bool, err error) {
	return newestWindow(ctx, r, kind, math.MaxUint64)
}

// newestWindow is NewestWindow among the windows up to at.
func newestWindow(ctx context.Context, r store.Reader, kind string, at protocol.Window) (newest protocol.Window, found bool, err error) {
	err = Each(ctx, r, kind, func(_ string, w protocol.Window) {
		if w <= at && (!found || w > newest) {
			newest, found = w, true
		}
	})
	return newest, found, err
}

// Each visits the objects of one kind whose keys name a window.
func Each(ctx context.Context, r store.Reader, kind string, visit func(key string, w protocol.Window)) error {
	const page, most = 1000, 100 // pages: a bucket of another node may have no end
	after := ""
	for range most {
		objects, err := r.List(ctx, kind, after, page)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if w, ok := protocol.KeyWindow(o.Key); ok {
				visit(o.Key, w)
			}
			after = o.Key
		}
		if len(objects) < page {
			return nil
		}
	}
	return fmt.Errorf("more than %d objects %q", most*page, kind)
}

// Keep stores gathered payloads in a bucket of the node's own.
func Keep(ctx context.Context, b store.Bucket, w protocol.Window, payloads []Payload) error {
	var errs []error
	for _, p := range payloads {
		if p.Verdict.OK() {
			_, err := b.Put(ctx, protocol.ArchiveKey(w, p.Peer.UID), bytes.NewReader(p.Raw), int64(len(p.Raw)), store.PutOptions{})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
