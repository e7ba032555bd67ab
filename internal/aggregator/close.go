package aggregator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"templar/internal/bulletin"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// collect gathers the sealed gradients of the next window: those of the selected peers as wholes, of all other
// registered miners the headers. It ends when all selected peers that are waited for are in.
func (a *Aggregator) collect(ctx context.Context, end time.Time, line bulletin.Lineup) []mailbox.Payload {
	bounds := a.Params.UploadBounds(end)
	deadline := a.Clock.Now()
	if bounds.Max.After(deadline) {
		deadline = bounds.Max
	}
	g := a.gatherer()
	g.Glance = func(uid protocol.UID) bool {
		return !slices.ContainsFunc(line.Peers, func(p directory.Peer) bool { return p.UID == uid })
	}
	return g.Gather(ctx, a.next, line.All, bounds, deadline.Add(a.Params.Gather()))
}

func (a *Aggregator) gatherer() mailbox.Gatherer {
	g := a.Gatherer
	g.Awaited = func(uid protocol.UID) bool { return a.absent.Awaits(a.next, uid) }
	return g
}

// close publishes the closing statement of the next window, which lists what is in of collected. If one exists
// already, that one counts: a standby's, or our own from before a restart. Ours is on our own disk first, so that no
// other one of this window is ever signed.
//
// The statement on which this process has settled counts for it from then on, whatever another that can write to the
// bucket puts in its place: with the keys revealed, another list of gradients could be chosen by their content.
func (a *Aggregator) close(ctx context.Context, end time.Time, line bulletin.Lineup) (*mailbox.Closed, []mailbox.Payload, error) {
	if c := a.settledOn(ctx, a.next); c != nil {
		return c, nil, nil
	}
	c, verdict := a.Aggregates.ClosingNow(ctx, a.next)
	if verdict.OK() {
		a.keepClosing(ctx, c)
		return c, nil, nil
	}
	var collected []mailbox.Payload
	key := protocol.ClosingKey(a.next)
	raw, _, err := store.ReadAll(ctx, a.Local, key, -1)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !a.valid(raw)) {
		collected = a.collect(ctx, end, line)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		raw, err = wire.EncodeClosing(&wire.Closing{
			Run: a.Hash, Window: a.next, Aggregator: a.Signer.Hotkey(), UploadFrom: end, Listed: mailbox.Listed(collected),
		}, a.Signer)
		if err == nil {
			a.copy(ctx, key, raw)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("closing statement: %w", err)
	}
	c, err = a.state(ctx, raw, verdict)
	return c, collected, err
}

// valid reports whether a copy is a closing statement of the next window.
func (a *Aggregator) valid(raw []byte) bool {
	_, _, verdict := a.Closing(raw, a.next)
	return verdict.OK()
}

// state stores a closing statement unless there is one, and returns the one that counts. there is the verdict of the
// object in its place: what is no statement of this run is replaced.
func (a *Aggregator) state(ctx context.Context, raw []byte, there protocol.Verdict) (*mailbox.Closed, error) {
	key := protocol.ClosingKey(a.next)
	ours := there.Invalid()
	var err error
	if ours {
		a.Log.Warn("an object in the place of the closing statement is replaced", "window", a.next, "verdict", there)
		err = store.PutBytes(ctx, a.Shelf.Bucket, key, raw, store.PutOptions{})
	} else {
		ours, err = a.putAbsent(ctx, key, raw)
	}
	if err != nil {
		return nil, fmt.Errorf("closing statement: %w", err)
	}
	stored := a.Clock.Now()
	c, verdict := a.Aggregates.ClosingNow(ctx, a.next)
	if hash := wire.ClosingHash(raw); ours && (!verdict.OK() || c.Hash != hash) { // another has replaced it
		a.closings[a.next] = settled{hash, stored}
		if c := a.settledOn(ctx, a.next); c != nil {
			return c, nil
		}
	}
	if !verdict.OK() {
		return nil, fmt.Errorf("published closing statement of window %d: %s", a.next, verdict)
	}
	a.keepClosing(ctx, c)
	return c, nil
}

// putAbsent stores a closing statement unless there is one, in one piece: its date counts. After a Put with an unknown
// outcome, created may be false for our own.
func (a *Aggregator) putAbsent(ctx context.Context, key string, b []byte) (created bool, err error) {
	err = store.PutBytes(ctx, a.Shelf.Bucket, key, b, store.PutOptions{IfAbsent: true})
	if errors.Is(err, store.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// keepClosing makes the statement that the bucket has the one that counts for this process.
func (a *Aggregator) keepClosing(ctx context.Context, c *mailbox.Closed) {
	a.copy(ctx, protocol.ClosingKey(c.Window), c.Raw)
	a.closings[c.Window] = settled{c.Hash, c.At}
}

// settled is a statement on which this process has settled, and when it was stored.
type settled struct {
	hash protocol.Hash
	at   time.Time
}

// settledOn returns the statement of w on which this process has settled; nil for none.
func (a *Aggregator) settledOn(ctx context.Context, w protocol.Window) *mailbox.Closed {
	s, is := a.closings[w]
	if !is {
		return nil
	}
	raw, _, err := store.ReadAll(ctx, a.Local, protocol.ClosingKey(w), -1)
	if err != nil {
		return nil
	}
	c, hash, verdict := a.Closing(raw, w)
	if !verdict.OK() || s.hash != hash {
		return nil
	}
	return &mailbox.Closed{Closing: c, Hash: hash, Raw: raw, At: s.at}
}

// reveal opens the gradients of the selected peers, and of the reserves that take free places, with the keys that
// are revealed against the statement.
func (a *Aggregator) reveal(ctx context.Context, c *mailbox.Closed, line bulletin.Lineup, collected []mailbox.Payload) ([]mailbox.Payload, error) {
	g := a.gatherer()
	deadline, whole := g.KeysDue(c), true
	var payloads []mailbox.Payload
	for _, p := range slices.Concat(line.Peers, mailbox.Reserves(c.Closing, line.Peers, line.Reserves)) {
		in := mailbox.Payload{Peer: p}
		if i := slices.IndexFunc(collected, func(got mailbox.Payload) bool { return got.Peer.Hotkey == p.Hotkey }); i >= 0 {
			in = collected[i]
		}
		_, listed := c.Of(p.UID, p.Hotkey)
		whole = whole && (in.Raw != nil || !listed)
		payloads = append(payloads, in)
	}
	slices.SortFunc(payloads, func(a, b mailbox.Payload) int { return int(a.Peer.UID) - int(b.Peer.UID) })
	if later := a.Clock.Now().Add(a.Params.Gather()); !whole && later.After(deadline) {
		deadline = later
	}
	payloads = g.Reveal(ctx, a.next, payloads, c, deadline)
	return payloads, ctx.Err()
}

// gathered reports the verdicts of a window.
func (a *Aggregator) gathered(payloads []mailbox.Payload, took time.Duration) {
	verdicts, size := mailbox.PeerVerdicts(payloads)
	a.Events.Emit(a.next, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: took})
}
