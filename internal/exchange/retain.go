package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// deletesAtOnce bounds the deletions that run at once, so that a sweep of hundreds of
// objects does not cost a window, nor burden the store.
const deletesAtOnce = 8

// Retention is the number of windows for which objects are kept: long enough to catch
// up from the last checkpoints, and to verify what was done.
func (x *Exchange) Retention() protocol.Window {
	return protocol.Window(4 * x.Params.CheckpointFrequency)
}

// PruneOwn deletes what this node stored in its own bucket and is past its retention:
// gradients, samples and reports, those too that it signed under another uid before it
// registered anew, and peer lists that were no longer in force then. next is the first window
// that is not applied. It sweeps now and then and is free otherwise.
func (x *Exchange) PruneOwn(ctx context.Context, next protocol.Window) error {
	if !x.due("own", next) {
		return nil
	}
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	keep := next - x.Retention()
	var errs []error
	for _, kind := range []protocol.Kind{protocol.KindGradient, protocol.KindSample, protocol.KindReport} {
		errs = append(errs, x.sweep(ctx, x.Own, kind, func(k protocol.Key) bool { return k.Window < keep }, x.deleteOwn))
	}
	var inForce protocol.Window // at keep
	err := store.EachKey(ctx, x.Own, protocol.PeersPrefix, func(_ string, k protocol.Key) {
		if k.Window <= keep {
			inForce = max(inForce, k.Window)
		}
	})
	if err == nil {
		err = x.sweep(ctx, x.Own, protocol.KindPeers, func(k protocol.Key) bool { return k.Window < inForce }, x.Own.Delete)
	}
	return errors.Join(append(errs, err)...)
}

// PruneAggregates deletes the Aggregates, and the gradients archived with them, that are
// past their retention, now and then.
func (x *Exchange) PruneAggregates(ctx context.Context, next protocol.Window) error {
	if !x.due("aggregator", next) {
		return nil
	}
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	old := func(k protocol.Key) bool { return k.Window < next-x.Retention() }
	return errors.Join(x.sweep(ctx, x.Aggregator, protocol.KindAggregate, old, x.Aggregator.Delete),
		x.sweep(ctx, x.Aggregator, protocol.KindArchive, old, x.Aggregator.Delete))
}

// StoreGather keeps the payloads of a gather of w in a bucket of the node's own, and
// deletes those of gathers more than windows ago; 0 means Retention.
func (x *Exchange) StoreGather(ctx context.Context, local store.Bucket, w, windows protocol.Window, payloads []Payload) error {
	if windows == 0 {
		windows = x.Retention()
	}
	err := Keep(ctx, local, w, payloads)
	old := func(k protocol.Key) bool { return k.Window < w && w-k.Window >= windows }
	return errors.Join(err, x.sweep(ctx, local, protocol.KindArchive, old, local.Delete))
}

// due reports whether anything in a bucket can be past its retention and the last sweep
// was checkpoint_frequency windows ago. The first call sweeps what an earlier run left.
func (x *Exchange) due(bucket string, next protocol.Window) bool {
	if next <= x.Retention() {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	last, swept := x.mu.swept[bucket]
	if swept && next < last+protocol.Window(x.Params.CheckpointFrequency) {
		return false
	}
	if x.mu.swept == nil {
		x.mu.swept = make(map[string]protocol.Window)
	}
	x.mu.swept[bucket] = next
	return true
}

// sweep has remove delete the objects of one kind that are stale. Keys of another version or
// of a stranger's making are left alone.
func (x *Exchange) sweep(ctx context.Context, b store.Reader, kind protocol.Kind, stale func(protocol.Key) bool, remove func(ctx context.Context, key string) error) error {
	var keys []string
	err := store.EachKey(ctx, b, kind.Prefix(), func(key string, k protocol.Key) {
		if k.Kind == kind && stale(k) {
			keys = append(keys, key)
		}
	})
	errs := make([]error, len(keys))
	x.Clock.Each(len(keys), deletesAtOnce, func(i int) { errs[i] = remove(ctx, keys[i]) })
	return errors.Join(append(errs, err)...)
}

// deleteOwn deletes an object of the node's own bucket that has its uid or its signature: who
// shares the bucket has others.
func (x *Exchange) deleteOwn(ctx context.Context, key string) error {
	if k, _ := protocol.ParseKey(key); k.UID != x.UID {
		if ours, err := x.signed(ctx, key, k.Kind); err != nil || !ours {
			return err
		}
	}
	return x.Own.Delete(ctx, key)
}

// signed reports whether an object of the node's own bucket is of this run and names this
// node's hotkey. It believes what the object says: to forge it takes the key that deletes it.
func (x *Exchange) signed(ctx context.Context, key string, kind protocol.Kind) (bool, error) {
	length := int64(1 << 10) // more than a message's header
	if kind == protocol.KindReport {
		length = reportLimit
	}
	body, err := x.Own.GetRange(ctx, key, 0, length, "")
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, length))
	if err != nil {
		return false, err
	}
	run, hotkey := origin(b, kind)
	return run == x.Hash && hotkey == x.Signer.Hotkey(), nil
}

// reportLimit is more than a report of any run has.
const reportLimit = 128 << 20

// origin is what an object says of where it comes from.
func origin(b []byte, kind protocol.Kind) (protocol.Hash, protocol.Hotkey) {
	if kind != protocol.KindReport {
		h, _ := wire.PeekHeader(b)
		return h.Run, h.Hotkey
	}
	var doc struct {
		Payload struct{ Run protocol.Hash }
		Hotkey  protocol.Hotkey
	}
	if json.Unmarshal(b, &doc) != nil {
		return protocol.Hash{}, protocol.Hotkey{}
	}
	return doc.Payload.Run, doc.Hotkey
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
