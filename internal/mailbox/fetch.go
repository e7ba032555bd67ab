package mailbox

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// maxPeers bounds how many gradients an Aggregate can name: no subnet has more slots. An
// operator may gather from all of them (--test), beyond max_topk_peers.
const maxPeers = 4096

// Aggregates reads the aggregator bucket.
type Aggregates struct {
	Run      run.Run
	Schedule schedule.Schedule
	Bucket   store.Reader
	Relays   *Relays      // nil: Aggregates are read as a whole
	Own      store.Bucket // of a miner, which relays; nil: of a node that does not
}

// Archived returns the gradient that the Aggregate of w names, from the aggregator's
// archive. Every verdict except OK and VerdictUnreachable means that the archive lacks it.
func (a Aggregates) Archived(ctx context.Context, w protocol.Window, in wire.Included) (*run.Gradient, protocol.Verdict) {
	ctx, cancel := a.Schedule.WithTimeout(ctx)
	defer cancel()
	raw, _, err := store.ReadAll(ctx, a.Bucket, protocol.ArchiveKey(w, in.UID), a.Run.MaxOpened())
	if err != nil {
		return nil, store.VerdictOf(err)
	}
	if wire.GradientHash(raw) != in.Content {
		return nil, protocol.VerdictWrongContext
	}
	return a.Run.Gradient(raw, wire.Expect{Run: a.Run.Hash, Window: w, UID: in.UID, Hotkey: in.Hotkey})
}

// Named returns a gradient, and its bytes as an opened gradient, that a closing statement of w lists and whose key was
// revealed, from its miner's bucket, which is one of peers; nil when it is not there.
func (g Gatherer) Named(ctx context.Context, w protocol.Window, peers []directory.Peer, in wire.Included) (*run.Gradient, []byte, protocol.Verdict) {
	i := slices.IndexFunc(peers, func(p directory.Peer) bool { return p.Hotkey == in.Hotkey && p.Bucket != nil })
	if i < 0 {
		return nil, nil, protocol.VerdictNoBucket
	}
	ctx, cancel := g.Schedule.WithPatience(ctx)
	defer cancel()
	return Opened(ctx, g.Run, peers[i].Bucket, w, in)
}

// Opened is Named for the miner's bucket itself.
func Opened(ctx context.Context, r run.Run, b store.Reader, w protocol.Window, in wire.Included) (*run.Gradient, []byte, protocol.Verdict) {
	want := wire.Expect{Run: r.Hash, Window: w, UID: in.UID, Hotkey: in.Hotkey}
	sealed, _, err := store.ReadAll(ctx, b, protocol.GradientKey(w, in.UID), r.MaxGradient())
	if err != nil {
		return nil, nil, store.VerdictOf(err)
	}
	if wire.GradientHash(sealed) != in.Content {
		return nil, nil, protocol.VerdictWrongContext
	}
	raw, _, err := store.ReadAll(ctx, b, protocol.RevealKey(w, in.UID), int64(wire.KeySize))
	if err != nil {
		return nil, nil, store.VerdictOf(err)
	}
	k, verdict := wire.DecodeKey(raw, want)
	if !verdict.OK() {
		return nil, nil, verdict
	}
	found, verdict := r.Open(sealed, k.Key, want)
	if !verdict.OK() {
		return nil, nil, verdict
	}
	return found, wire.JoinGradient(sealed, k.Key), verdict
}

// Fetch requests the Aggregate of w and a term until it exists or the deadline has passed; then the
// verdict is VerdictMissing or VerdictUnreachable.
func (a Aggregates) Fetch(ctx context.Context, w protocol.Window, t protocol.Term, deadline time.Time) (*run.Aggregate, protocol.Hash, int64, protocol.Verdict) {
	if a.Relays != nil {
		b, verdict := a.assembled(ctx, w, t, deadline)
		if !verdict.OK() {
			return nil, protocol.Hash{}, 0, verdict
		}
		if agg, hash, verdict := a.Run.Aggregate(b, w, t); verdict.OK() {
			return agg, hash, int64(len(b)), verdict
		} // the list of parts may be at fault
	}
	b, verdict := a.Raw(ctx, w, t, deadline)
	if !verdict.OK() {
		return nil, protocol.Hash{}, 0, verdict
	}
	agg, hash, verdict := a.Run.Aggregate(b, w, t)
	return agg, hash, int64(len(b)), verdict
}

// Raw is Fetch of the whole object without decoding: it returns its bytes. A body that breaks off is fetched from there on.
func (a Aggregates) Raw(ctx context.Context, w protocol.Window, t protocol.Term, deadline time.Time) (b []byte, v protocol.Verdict) {
	ctx, cancel := a.Schedule.Clock.WithDeadline(ctx, deadline)
	defer cancel()
	var p store.Partial
	v = a.persist(ctx, func() (err error) {
		b, err = p.Fetch(ctx, a.Bucket, protocol.AggregateKey(w, t), a.limit())
		return err
	})
	if !v.OK() {
		return nil, v
	}
	return b, v
}

// limit bounds an Aggregate's object.
func (a Aggregates) limit() int64 { return wire.MaxAggregateSize(a.Run.Format(), maxPeers) }

// persist repeats a request until it has a result, good or bad, or ctx ends.
func (a Aggregates) persist(ctx context.Context, request func() error) protocol.Verdict {
	began := a.Schedule.Clock.Now()
	for {
		v := store.VerdictOf(request())
		if v.Final() || a.Schedule.Clock.Sleep(ctx, a.Schedule.Pause(a.Schedule.Clock.Now().Sub(began))) != nil {
			return v
		}
	}
}

// Head is what is before the update of an Aggregate, with the object's size and date. Nothing in it is verified.
type Head struct {
	*wire.Aggregate
	Size   int64
	Stored time.Time
}

// headBytes is more than the head of an Aggregate with 900 peers has.
const headBytes = 64 << 10

// Head reads the head of the Aggregate of w and a term.
func (a Aggregates) Head(ctx context.Context, w protocol.Window, t protocol.Term) (*Head, error) {
	ctx, cancel := a.Schedule.WithPatience(ctx)
	defer cancel()
	key := protocol.AggregateKey(w, t)
	info, err := a.Bucket.Head(ctx, key)
	if err != nil {
		return nil, err
	}
	body, err := a.Bucket.GetRange(ctx, key, 0, min(info.Size, headBytes), "")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, headBytes))
	if err != nil {
		return nil, err
	}
	peek, ok := wire.PeekAggregate(b, a.Run.Hash, w, t)
	if !ok {
		return nil, fmt.Errorf("%s is not an Aggregate of this run", key)
	}
	return &Head{peek, info.Size, info.LastModified}, nil
}

// Gone reports whether the gradients of w may have been deleted, as past their retention: the Aggregate that is
// schedule.PayloadRetention windows later exists. terms gives the term of a window's Aggregate.
func (a Aggregates) Gone(ctx context.Context, w protocol.Window, terms func(protocol.Window) protocol.Term) bool {
	later := w + schedule.PayloadRetention(a.Run.Params)
	ctx, cancel := a.Schedule.WithPatience(ctx)
	defer cancel()
	_, err := a.Bucket.Head(ctx, protocol.AggregateKey(later, terms(later)))
	return err == nil
}
