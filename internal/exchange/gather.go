package exchange

import (
	"context"
	"crypto/sha256"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// gatherLimit bounds the concurrent downloads of one gather.
const gatherLimit = 32

// maxPeers bounds how many gradients an Aggregate can name: no subnet has more slots. An
// operator may gather from all of them (--test), beyond max_topk_peers.
const maxPeers = 4096

// Payload is one peer's gradient with what this node makes of it. Gradient and Raw
// are set only when the verdict is OK.
type Payload struct {
	Peer     Peer
	Verdict  protocol.Verdict
	Gradient *wire.Gradient
	Raw      []byte        // the object's bytes
	Content  protocol.Hash // SHA-256 of Raw
	Bytes    int64
	Duration time.Duration
}

// Gather fetches and judges the gradients of window w from peers, all at once, until
// the deadline. The result has one Payload a peer, in the order of peers. One
// peer's fault never touches another's.
func (x *Exchange) Gather(ctx context.Context, w protocol.Window, peers []Peer, bounds protocol.Bounds, deadline time.Time) []Payload {
	ctx, cancel := x.Clock.WithDeadline(ctx, deadline)
	defer cancel()
	out := make([]Payload, len(peers))
	x.Clock.Each(len(peers), gatherLimit, func(i int) {
		start := x.Clock.Now()
		out[i] = x.fetch(ctx, w, peers[i], bounds)
		out[i].Duration = x.Clock.Now().Sub(start)
	})
	return out
}

// fetch asks until the answer is final: a missing object is asked for once more
// after the upload deadline, a silent store until ctx ends.
func (x *Exchange) fetch(ctx context.Context, w protocol.Window, p Peer, bounds protocol.Bounds) Payload {
	if p.Bucket == nil {
		return Payload{Peer: p, Verdict: protocol.VerdictNoBucket}
	}
	for {
		last := x.Clock.Now().After(bounds.Max)
		got := x.fetchOnce(ctx, w, p, bounds)
		if got.Verdict.Final() || got.Verdict == protocol.VerdictMissing && last {
			return got
		}
		if x.Clock.Sleep(ctx, x.Poll()) != nil {
			return got
		}
	}
}

func (x *Exchange) fetchOnce(ctx context.Context, w protocol.Window, p Peer, bounds protocol.Bounds) Payload {
	out := Payload{Peer: p}
	body, info, err := p.Bucket.Get(ctx, protocol.GradientKey(w, p.UID), x.maxGradient())
	if err != nil {
		out.Verdict = verdictOf(err)
		return out
	}
	defer body.Close()
	if out.Verdict = bounds.Check(info.LastModified); !out.Verdict.OK() {
		return out
	}
	raw, err := readAll(body, info.Size)
	out.Bytes = int64(len(raw))
	if err != nil {
		out.Verdict = verdictOf(err)
		return out
	}
	expect := wire.Expect{Run: x.Hash, Window: w, UID: p.UID, Hotkey: p.Hotkey}
	if out.Gradient, out.Verdict = wire.DecodeGradient(raw, x.Codec, expect); out.Verdict.OK() {
		out.Raw, out.Content = raw, sha256.Sum256(raw)
	}
	return out
}

// Archived returns the gradient that the Aggregate of w names, from the aggregator's
// archive. Every verdict but VerdictUnreachable says that the aggregator cannot show it.
func (x *Exchange) Archived(ctx context.Context, w protocol.Window, in wire.Included) (*wire.Gradient, protocol.Verdict) {
	ctx, cancel := x.WithTimeout(ctx)
	defer cancel()
	raw, _, err := read(ctx, x.Aggregator, protocol.ArchiveKey(w, in.UID), x.maxGradient())
	if err != nil {
		return nil, verdictOf(err)
	}
	if wire.ContentHash(raw) != in.Content {
		return nil, protocol.VerdictWrongContext
	}
	return wire.DecodeGradient(raw, x.Codec, wire.Expect{Run: x.Hash, Window: w, UID: in.UID, Hotkey: in.Hotkey})
}

func (x *Exchange) maxGradient() int64 {
	return wire.MaxGradientSize(x.Codec, x.Params.PagesPerWindow)
}

// PeerVerdicts sums payloads up for a telemetry.Gathered event.
func PeerVerdicts(payloads []Payload) (verdicts []telemetry.PeerVerdict, bytes int64) {
	for _, p := range payloads {
		verdicts = append(verdicts, telemetry.PeerVerdict{UID: p.Peer.UID, Verdict: p.Verdict, Bytes: p.Bytes, Duration: p.Duration})
		bytes += p.Bytes
	}
	return verdicts, bytes
}

// Usable returns the payloads with an OK verdict, and the others' verdicts.
func Usable(payloads []Payload) (ok []Payload, skipped []wire.Skipped) {
	for _, p := range payloads {
		if p.Verdict.OK() {
			ok = append(ok, p)
		} else {
			skipped = append(skipped, wire.Skipped{UID: p.Peer.UID, Verdict: p.Verdict})
		}
	}
	return ok, skipped
}

// FetchAggregate asks for the Aggregate of w until it is there or the deadline has
// passed; then the verdict is VerdictMissing or VerdictUnreachable.
func (x *Exchange) FetchAggregate(ctx context.Context, w protocol.Window, deadline time.Time) (*wire.Aggregate, protocol.Hash, int64, protocol.Verdict) {
	ctx, cancel := x.Clock.WithDeadline(ctx, deadline)
	defer cancel()
	limit := wire.MaxAggregateSize(x.Codec, maxPeers)
	for {
		b, _, err := read(ctx, x.Aggregator, protocol.AggregateKey(w), limit)
		if err == nil {
			a, hash, verdict := wire.DecodeAggregate(b, x.Codec, x.Hash, w, x.Params.Aggregators)
			return a, hash, int64(len(b)), verdict
		}
		verdict := verdictOf(err)
		if verdict.Final() || x.Clock.Sleep(ctx, x.Poll()) != nil {
			return nil, protocol.Hash{}, 0, verdict
		}
	}
}

// AggregateDeadline is until when to wait for the Aggregate of the window that ended with
// block end: until it is due and no longer, so that an aggregator that is away costs
// nobody the next window too.
func (x *Exchange) AggregateDeadline(end chain.Block) time.Time {
	return x.Params.AggregateDue(end.Time)
}

// withPatience bounds a look at other nodes' buckets beside the gather, so that a store
// that hangs costs a validator no window.
func (x *Exchange) withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	return clock.WithTimeout(ctx, x.Clock, x.Params.Gather())
}

// WithTimeout bounds an exchange that has no deadline of its own in the protocol.
func (x *Exchange) WithTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return clock.WithTimeout(ctx, x.Clock, x.Params.WindowTime())
}
