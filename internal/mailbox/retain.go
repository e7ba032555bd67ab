package mailbox

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"templar/internal/clock"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/strictjson"
	"templar/protocol"
	"templar/wire"
)

// deletesAtOnce bounds the deletions that run at once, so that a sweep of hundreds of
// objects does not cost a window, nor burden the store.
const deletesAtOnce = 8

// Prune deletes what this node stored in its own bucket and is past its retention:
// gradients, samples, reports and relayed parts, those too that it signed under another uid before it
// registered anew, and peer lists that were no longer in force then. next is the first window
// that is not applied. It sweeps now and then and is free otherwise.
func (o *Outbox) Prune(ctx context.Context, next protocol.Window) error {
	if !o.sweeps.due(o.Run.Params, next) {
		return nil
	}
	ctx, cancel := o.Schedule.WithTimeout(ctx)
	defer cancel()
	var errs []error
	for _, kind := range []protocol.Kind{protocol.KindGradient, protocol.KindKey, protocol.KindSample, protocol.KindReport, protocol.KindPart} {
		errs = append(errs, sweep(ctx, o.Schedule.Clock, o.Bucket, kind, past(o.Run.Params, next), o.deleteOwn))
	}
	// Statements kept as evidence are signed by an aggregator.
	errs = append(errs, sweep(ctx, o.Schedule.Clock, o.Bucket, protocol.KindClosing, past(o.Run.Params, next), o.Bucket.Delete))
	var inForce protocol.Window // when the oldest Aggregate that is kept was made
	err := store.EachKey(ctx, o.Bucket, protocol.PeersPrefix, func(_ string, k protocol.Key) {
		if k.Window+schedule.Retention(o.Run.Params) <= next {
			inForce = max(inForce, k.Window)
		}
	})
	if err == nil {
		err = sweep(ctx, o.Schedule.Clock, o.Bucket, protocol.KindPeers, func(k protocol.Key) bool { return k.Window < inForce }, o.Bucket.Delete)
	}
	return errors.Join(err, errors.Join(errs...))
}

// past returns whether an object is past its retention when next is the first window that is not applied.
func past(p *protocol.Params, next protocol.Window) func(protocol.Key) bool {
	return func(k protocol.Key) bool {
		kept := schedule.Retention(p)
		switch k.Kind {
		case protocol.KindGradient, protocol.KindKey, protocol.KindArchive:
			kept = schedule.PayloadRetention(p)
		case protocol.KindParts, protocol.KindPart:
			kept = schedule.PartRetention(p)
		}
		return k.Window+kept < next
	}
}

// Shelf is the aggregator bucket as the aggregator keeps it. It is for one role's loop: it remembers its last sweep, and
// what the store can do.
type Shelf struct {
	Schedule schedule.Schedule
	Bucket   store.Bucket
	Hotkey   protocol.Hotkey // the aggregator's
	Log      *slog.Logger
	InParts  int64 // the size in bytes from which on Create sends parts; 0: 32 MiB

	sweeps  sweeps
	refuses *bool // to complete an upload whose key is taken; nil: not known yet
}

// Prune deletes the Aggregates, and the lists and archived gradients that go with them, that are past their
// retention, now and then; also uploads of such Aggregates that were not completed.
func (s *Shelf) Prune(ctx context.Context, next protocol.Window) error {
	p := s.Schedule.Params
	if !s.sweeps.due(p, next) {
		return nil
	}
	ctx, cancel := s.Schedule.WithTimeout(ctx)
	defer cancel()
	var errs []error
	for _, kind := range []protocol.Kind{protocol.KindAggregate, protocol.KindClosing, protocol.KindArchive, protocol.KindParts} {
		errs = append(errs, sweep(ctx, s.Schedule.Clock, s.Bucket, kind, past(p, next), s.Bucket.Delete))
	}
	uploads, err := s.Bucket.Uploads(ctx, protocol.KindAggregate.Prefix())
	if !errors.Is(err, store.ErrDenied) && !errors.Is(err, store.ErrInvalid) { // else the store drops them
		errs = append(errs, err)
	}
	for _, u := range uploads {
		if k, ok := protocol.ParseKey(u.Key); ok && past(p, next)(k) {
			errs = append(errs, s.Bucket.AbortUpload(ctx, u))
		}
	}
	return errors.Join(errs...)
}

// Gathers keeps what a node has gathered in a bucket of its own, as an operator may want it.
type Gathers struct {
	Clock   clock.Clock
	Bucket  store.Bucket
	Windows protocol.Window // for how many the payloads are kept
}

// Store keeps the payloads of a gather of w, and deletes those of gathers more than Windows
// ago. It does nothing on a nil receiver.
func (g *Gathers) Store(ctx context.Context, w protocol.Window, payloads []Payload) error {
	if g == nil {
		return nil
	}
	err := Keep(ctx, g.Bucket, w, payloads)
	old := func(k protocol.Key) bool { return k.Window < w && w-k.Window >= g.Windows }
	return errors.Join(err, sweep(ctx, g.Clock, g.Bucket, protocol.KindArchive, old, g.Bucket.Delete))
}

// sweeps remembers when a bucket was last swept.
type sweeps struct {
	last  protocol.Window
	swept bool
}

// due reports whether anything in a bucket can be past its retention and the last sweep
// was schedule.Sweeps windows ago. The first call sweeps what an earlier run left.
func (s *sweeps) due(p *protocol.Params, next protocol.Window) bool {
	if next <= schedule.PayloadRetention(p) || (s.swept && next < s.last+schedule.Sweeps(p)) {
		return false
	}
	s.last, s.swept = next, true
	return true
}

// sweep calls remove for the stale objects of one kind. Keys of another version or
// in an unknown form are left alone.
func sweep(ctx context.Context, clk clock.Clock, b store.Reader, kind protocol.Kind, stale func(protocol.Key) bool, remove func(ctx context.Context, key string) error) error {
	var keys []string
	err := store.EachKey(ctx, b, kind.Prefix(), func(key string, k protocol.Key) {
		if k.Kind == kind && stale(k) {
			keys = append(keys, key)
		}
	})
	errs := make([]error, len(keys))
	clk.Each(len(keys), deletesAtOnce, func(i int) { errs[i] = remove(ctx, keys[i]) })
	return errors.Join(err, errors.Join(errs...))
}

// deleteOwn deletes an object of the node's own bucket that has its uid or its signature. Other
// nodes may share the bucket.
func (o *Outbox) deleteOwn(ctx context.Context, key string) error {
	if k, _ := protocol.ParseKey(key); k.UID != o.UID {
		if ours, err := o.signed(ctx, key, k.Kind); err != nil || !ours {
			return err
		}
	}
	return o.Bucket.Delete(ctx, key)
}

// signed reports whether an object of the node's own bucket is of this run and names this
// node's hotkey. It believes what the object says: to forge it takes the key that deletes it.
func (o *Outbox) signed(ctx context.Context, key string, kind protocol.Kind) (bool, error) {
	length := int64(1 << 10) // more than a message's header
	if kind == protocol.KindReport {
		length = reportLimit
	}
	body, err := o.Bucket.GetRange(ctx, key, 0, length, "")
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
	return run == o.Run.Hash && hotkey == o.Signer.Hotkey(), nil
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
		Payload struct {
			Run protocol.Hash `json:"run"`
		} `json:"payload"`
		Hotkey protocol.Hotkey `json:"hotkey"`
	}
	if strictjson.Unmarshal(b, &doc) != nil {
		return protocol.Hash{}, protocol.Hotkey{}
	}
	return doc.Payload.Run, doc.Hotkey
}

// Keep stores gathered payloads in a bucket of the node's own.
func Keep(ctx context.Context, b store.Bucket, w protocol.Window, payloads []Payload) error {
	var errs []error
	for _, p := range payloads {
		if p.Verdict.OK() {
			errs = append(errs, store.PutBytes(ctx, b, protocol.ArchiveKey(w, p.Peer.UID), p.Opened(), store.PutOptions{}))
		}
	}
	return errors.Join(errs...)
}
