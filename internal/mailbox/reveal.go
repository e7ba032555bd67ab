package mailbox

import (
	"context"
	"time"

	"templar/internal/directory"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// KeysDue returns the time until which a key counts that is revealed against a statement, by the store's date. The
// slack allows for the difference between two stores' clocks.
func (g Gatherer) KeysDue(c *Closed) time.Time {
	return c.At.Add(g.Run.Params.Reveal() + g.Run.Params.Slack())
}

// Reveal opens the gathered payloads of window w that a closing statement lists, with the keys that their miners
// reveal until the deadline. It fetches a listed gradient that was only glanced at, or is another one. Without a statement (nil)
// nothing can be opened. The result stands in the order of payloads.
//
// What is in and not listed is VerdictUnlisted; VerdictLate, if it was stored after the window had been closed, by a peer that was
// not waited for. A listed gradient without its key is VerdictWithheld.
func (g Gatherer) Reveal(ctx context.Context, w protocol.Window, payloads []Payload, c *Closed, deadline time.Time) []Payload {
	ctx, cancel := g.Schedule.Clock.WithDeadline(ctx, deadline)
	defer cancel()
	g.Glance = nil
	all := g.gathering(ctx, w, deadline)
	defer all.settle()
	all.bounds, all.until = protocol.Bounds{Max: deadline.AddDate(100, 0, 0)}, all.began
	r := &revealing{gathering: all, closed: c}
	peers := make([]directory.Peer, len(payloads))
	for i, p := range payloads {
		peers[i] = p.Peer
	}
	out := make([]Payload, len(payloads))
	all.each(peers, func(i int) *Payload {
		out[i] = r.reveal(ctx, payloads[i])
		return &out[i]
	})
	return out
}

type revealing struct {
	*gathering
	closed *Closed
}

func (r *revealing) reveal(ctx context.Context, p Payload) Payload {
	before := p.Duration
	defer func() { p.Duration += before }()
	var content protocol.Hash
	listed := false
	if r.closed != nil {
		content, listed = r.closed.Of(p.Peer.UID, p.Peer.Hotkey)
	}
	if !listed {
		switch p.Verdict {
		case protocol.VerdictOK:
			p.Verdict, p.Raw = r.unlisted(&p), nil
		case protocol.VerdictNone:
			p.Verdict = protocol.VerdictMissing
		}
		return p
	}
	if !r.hold(ctx, &p, content) {
		return p
	}
	r.unlock(ctx, &p)
	return p
}

// unlisted is the verdict of a gradient that is in, by this node's own look, and counts for nothing.
func (r *revealing) unlisted(p *Payload) protocol.Verdict {
	if r.closed != nil && (r.WaitedFor == nil || !r.WaitedFor(p.Peer.UID)) && p.Stored.After(r.closed.At.Add(r.Run.Params.Slack())) {
		return protocol.VerdictLate
	}
	return protocol.VerdictUnlisted
}

// hold fetches the listed gradient unless p is it. Its date was the statement's signer to judge. p keeps the verdict of
// this node's own look if it cannot be fetched.
func (r *revealing) hold(ctx context.Context, p *Payload, content protocol.Hash) bool {
	switch {
	case p.Peer.Bucket == nil || (!p.Verdict.OK() && p.Verdict.Final()):
		return false
	case p.Raw != nil && p.Content == content:
		return p.Verdict.OK()
	case p.Raw == nil:
		found := r.fetch(ctx, p.Peer)
		p.Bytes, p.Attempts = p.Bytes+found.Bytes, p.Attempts+found.Attempts
		p.Verdict, p.Raw, p.Content, p.Stored = found.Verdict, found.Raw, found.Content, found.Stored
	}
	if p.Verdict.OK() && p.Content != content { // its miner has replaced it, or the statement lists what it never stored
		p.Verdict, p.Raw = r.unlisted(p), nil
	}
	return p.Verdict.OK()
}

// unlock waits for the key and opens the gradient.
func (r *revealing) unlock(ctx context.Context, p *Payload) {
	verdict := protocol.VerdictUnreachable
	for {
		now := r.Schedule.Clock.Now()
		last := r.enough(p.Peer, now)
		p.Attempts++
		r.attempt(ctx, r.patience, func(ctx context.Context, body *progress) { verdict = r.ask(ctx, p, body) })
		if verdict.OK() || verdict.Final() || (last && verdict == protocol.VerdictMissing) ||
			r.Schedule.Clock.Sleep(ctx, r.Schedule.Pause(now.Sub(r.began))) != nil {
			break
		}
		if last && !r.awaits(p.Peer) {
			break
		}
	}
	if verdict == protocol.VerdictUnreachable {
		p.Verdict, p.Raw = verdict, nil
		return
	}
	if r.Evidence && (!verdict.OK() || p.shown != r.closed.Hash) {
		p.Conflict = r.otherStatement(ctx, p)
	}
	switch {
	case verdict.OK():
	case p.Conflict != nil: // it was shown that one, and no fault of the miner
		p.Verdict, p.Raw = protocol.VerdictUnlisted, nil
		return
	default:
		p.Verdict, p.Raw = protocol.VerdictWithheld, nil
		return
	}
	if p.Gradient, p.Verdict = r.Run.Open(p.Raw, p.Key, r.expect(p.Peer)); !p.Verdict.OK() {
		p.Raw = nil
	}
}

// enough reports whether a missing key is not waited for any more: when it would be late, and for a peer that is not
// waited for, when the others have revealed theirs and a quarter of the time for it has passed. A peer that is back can
// then be included, and one that withholds its keys costs no more than that.
func (r *revealing) enough(p directory.Peer, now time.Time) bool {
	return now.After(r.KeysDue(r.closed)) ||
		!r.awaits(p) && r.awaiting.Err() != nil && now.After(r.began.Add(r.Run.Params.Reveal()/4))
}

// ask reads the key.
func (r *revealing) ask(ctx context.Context, p *Payload, body *progress) protocol.Verdict {
	raw, info, err := store.ReadAll(ctx, p.Peer.Bucket, protocol.RevealKey(r.window, p.Peer.UID), int64(wire.KeySize))
	body.begin(int64(wire.KeySize))
	p.Bytes += int64(len(raw))
	switch {
	case err != nil:
		return store.VerdictOf(err)
	case info.InParts():
		return protocol.VerdictUndated
	case info.LastModified.After(r.KeysDue(r.closed)):
		return protocol.VerdictLate
	}
	k, verdict := wire.DecodeKey(raw, r.expect(p.Peer))
	if verdict.OK() {
		p.Key, p.shown = k.Key, k.Closing
	}
	return verdict
}

// otherStatement returns another statement of the window that the peer keeps as evidence that it was shown that one;
// nil for none.
func (r *revealing) otherStatement(ctx context.Context, p *Payload) *Closed {
	look, cancel := r.Schedule.WithPatience(context.WithoutCancel(ctx))
	defer cancel()
	other, verdict := Aggregates{Run: r.Run, Schedule: r.Schedule}.closingIn(look, p.Peer.Bucket, r.window)
	if !verdict.OK() || other.Hash == r.closed.Hash {
		return nil
	}
	return other
}
