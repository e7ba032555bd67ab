package mailbox

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Payload is one peer's gradient with this node's verdict. After Gather, OK means that the gradient is in: present,
// within the bounds of size and time, with a valid header. After Reveal it means that the gradient can be used.
type Payload struct {
	Peer     directory.Peer
	Verdict  protocol.Verdict
	Gradient *run.Gradient // set when it is revealed and OK
	Raw      []byte        // the sealed object's bytes; nil when it was only glanced at
	Key      wire.GradientKey
	Content  protocol.Hash // GradientHash
	Stored   time.Time     // LastModified; zero while the store has not answered
	Bytes    int64         // read, in all attempts
	Attempts int
	Duration time.Duration // until the verdict was final
	// Conflict is a statement of the same window, valid and with another content than the one that counts, which the
	// peer keeps as evidence; nil for none.
	Conflict *Closed
	shown    protocol.Hash // the statement against which the key was revealed
}

// Opened is the payload as an opened gradient: what the archive holds.
func (p *Payload) Opened() []byte { return wire.JoinGradient(p.Raw, p.Key) }

// Gatherer collects the gradients that other nodes have uploaded.
type Gatherer struct {
	Run      run.Run
	Schedule schedule.Schedule
	// Awaited reports whether the gather waits for a missing peer until the upload deadline; nil: for every
	// one. The others are asked once, when all that are waited for have answered.
	Awaited func(protocol.UID) bool
	// Glance reports whether only the header of a peer's gradient is read, once; nil: of none.
	Glance func(protocol.UID) bool
	// WaitedFor reports whether the aggregator had to wait for a peer: one that it closed the window without is not late
	// (Reveal); nil: for none.
	WaitedFor func(protocol.UID) bool
	// Evidence makes Reveal look for another statement of the window in the bucket of a miner that does not reveal its
	// key, before it is blamed, or that has revealed it against another one.
	Evidence bool
}

// Gather fetches and judges the sealed gradients of window w from peers until the deadline. The
// result has one Payload per peer, in the order of peers. One peer's fault does not affect
// another: all are fetched concurrently and share no limited resource.
//
// A peer costs one connection and one buffer, never larger than the largest gradient of
// the run, so that memory is bounded by the number of peers. Size and time come with the
// response header: objects that are too large, early or late are refused before the body is read.
func (g Gatherer) Gather(ctx context.Context, w protocol.Window, peers []directory.Peer, bounds protocol.Bounds, deadline time.Time) []Payload {
	ctx, cancel := g.Schedule.Clock.WithDeadline(ctx, deadline)
	defer cancel()
	all := g.gathering(ctx, w, deadline)
	defer all.settle()
	all.bounds, all.until, all.earliest = bounds, bounds.Max, bounds.Max.Add(-g.Run.Params.Delta()*7/8)
	if !slices.ContainsFunc(peers, all.awaits) {
		all.Awaited = nil // or a network in which all have missed two windows would never include one again
	}
	out := make([]Payload, len(peers))
	all.each(peers, func(i int) *Payload {
		out[i] = all.fetch(ctx, peers[i])
		return &out[i]
	})
	return out
}

// leastPatience is the time that a distant, healthy store may take to answer.
const leastPatience = 250 * time.Millisecond

// gathering is the state that the fetches of one Gather or Reveal share.
type gathering struct {
	Gatherer
	window   protocol.Window
	bounds   protocol.Bounds
	until    time.Time // a missing object is waited for
	earliest time.Time // a peer that is not waited for is asked, so that one that comes back need not be faster than the others
	began    time.Time
	deadline time.Time
	patience time.Duration // how long an attempt may stall

	waiting  atomic.Int64    // peers that are waited for and have no final verdict
	awaiting context.Context // ends when there is none of them
	settle   context.CancelFunc
}

func (g Gatherer) gathering(ctx context.Context, w protocol.Window, deadline time.Time) *gathering {
	began := g.Schedule.Clock.Now()
	all := &gathering{Gatherer: g, window: w, began: began, deadline: deadline, patience: max(deadline.Sub(began)/4, leastPatience)}
	all.awaiting, all.settle = context.WithCancel(ctx)
	return all
}

// each calls f for every peer at once, and notes when those that are waited for have answered.
func (g *gathering) each(peers []directory.Peer, f func(i int) *Payload) {
	for _, p := range peers {
		if g.awaits(p) {
			g.waiting.Add(1)
		}
	}
	g.answered(0)
	clk := g.Schedule.Clock
	clk.Each(len(peers), len(peers), func(i int) {
		f(i).Duration = clk.Now().Sub(g.began)
		if g.awaits(peers[i]) {
			g.answered(1)
		}
	})
}

func (g *gathering) awaits(p directory.Peer) bool {
	return (g.Awaited == nil || g.Awaited(p.UID)) && !g.glances(p)
}

func (g *gathering) glances(p directory.Peer) bool { return g.Glance != nil && g.Glance(p.UID) }

// answered notes that so many peers that are waited for have a final verdict.
func (g *gathering) answered(n int64) {
	if g.waiting.Add(-n) == 0 {
		g.settle()
	}
}

func (g *gathering) expect(p directory.Peer) wire.Expect {
	return wire.Expect{Run: g.Run.Hash, Window: g.window, UID: p.UID, Hotkey: p.Hotkey}
}

// fetch asks until the answer is final: a missing object is asked for once more
// after the upload deadline, a silent store until ctx ends. What is malformed is asked for
// twice: it may have been damaged on the way, which must not cost its owner its score.
func (g *gathering) fetch(ctx context.Context, p directory.Peer) Payload {
	out := Payload{Peer: p, Verdict: protocol.VerdictNoBucket}
	if p.Bucket == nil {
		return out
	}
	if !g.awaits(p) {
		g.once(ctx, &out)
		return out
	}
	var buf []byte
	stalls, doubted := 0, false
	for {
		now := g.Schedule.Clock.Now()
		last := !now.Before(g.until)
		patience := g.patience
		if stalls == 2 { // it may just be slow: this attempt may take the remaining time
			patience = 2 * g.deadline.Sub(g.Schedule.Clock.Now())
		}
		out.Attempts++
		stalled := g.attempt(ctx, patience, func(ctx context.Context, body *progress) { buf = g.ask(ctx, &out, buf, body) })
		again := out.Verdict == protocol.VerdictMalformed && !doubted
		doubted = doubted || again
		switch {
		case (out.Verdict.Final() && !again) || (out.Verdict == protocol.VerdictMissing && last) || ctx.Err() != nil:
			return out
		case stalled:
			stalls++
		case g.Schedule.Clock.Sleep(ctx, g.pause(now)) != nil:
			return out
		}
	}
}

// once asks a peer that is not waited for: when the others have answered, but not before earliest, or the upload
// deadline has passed.
func (g *gathering) once(ctx context.Context, out *Payload) {
	_ = clock.SleepUntil(g.awaiting, g.Schedule.Clock, g.until)
	if !g.glances(out.Peer) {
		_ = clock.SleepUntil(ctx, g.Schedule.Clock, g.earliest)
	}
	out.Attempts++
	out.Verdict = protocol.VerdictUnreachable
	g.attempt(ctx, leastPatience, func(ctx context.Context, body *progress) {
		if g.glances(out.Peer) {
			g.glance(ctx, out, body)
		} else {
			g.ask(ctx, out, nil, body)
		}
	})
}

// pause is the time until a peer is asked again that was asked at a time: the last time just after the upload
// deadline.
func (g *gathering) pause(asked time.Time) time.Duration {
	pause := g.Schedule.Pause(asked.Sub(g.began))
	if left := g.until.Sub(asked); left > 0 {
		pause = min(pause, left+time.Millisecond)
	}
	return pause
}

// attempt makes one request, and gives up when it stalls, so that a connection that hangs or is
// very slow leaves time for other attempts.
func (g *gathering) attempt(ctx context.Context, patience time.Duration, ask func(context.Context, *progress)) (stalled bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var body progress
	clock.Both(g.Schedule.Clock, func() {
		defer cancel()
		ask(ctx, &body)
	}, func() {
		defer cancel()
		stalled = g.watch(ctx, &body, patience)
	})
	return stalled
}

// ask reads and checks the object. buf is used for the body, or replaced by a larger one.
func (g *gathering) ask(ctx context.Context, out *Payload, buf []byte, p *progress) []byte {
	body, info, err := out.Peer.Bucket.Get(ctx, protocol.GradientKey(g.window, out.Peer.UID), g.Run.MaxGradient())
	if err != nil {
		out.Verdict = store.VerdictOf(err)
		return buf
	}
	defer body.Close()
	if out.Verdict = g.date(out, info); !out.Verdict.OK() {
		return buf
	}
	if int64(cap(buf)) < info.Size { // which Get has checked
		buf = make([]byte, info.Size)
	}
	raw := buf[:info.Size]
	p.begin(info.Size)
	n, err := io.ReadFull(io.TeeReader(body, p), raw)
	out.Bytes += int64(n)
	if err != nil {
		out.Verdict = store.VerdictOf(err)
		return buf
	}
	var h wire.GradientHeader
	if h, out.Verdict = wire.DecodeSealed(raw, g.expect(out.Peer)); out.Verdict.OK() {
		out.Raw, out.Content = raw, h.Content
	}
	return buf
}

// date checks when an object was stored, as far as the store's date proves it.
func (g *gathering) date(out *Payload, info store.Info) protocol.Verdict {
	out.Stored = info.LastModified
	if info.InParts() {
		return protocol.VerdictUndated
	}
	return g.bounds.Check(info.LastModified)
}

// glance reads and checks the header of the object.
func (g *gathering) glance(ctx context.Context, out *Payload, p *progress) {
	key := protocol.GradientKey(g.window, out.Peer.UID)
	info, err := out.Peer.Bucket.Head(ctx, key)
	switch {
	case err != nil:
		out.Verdict = store.VerdictOf(err)
		return
	case info.Size > g.Run.MaxGradient():
		out.Verdict = protocol.VerdictTooLarge
		return
	}
	if out.Verdict = g.date(out, info); !out.Verdict.OK() {
		return
	}
	p.begin(int64(wire.GradientHeaderSize))
	raw, err := header(ctx, out.Peer.Bucket, key, info.ETag)
	out.Bytes += int64(len(raw))
	if err != nil {
		out.Verdict = store.VerdictOf(err)
		return
	}
	var h wire.GradientHeader
	if h, out.Verdict = wire.DecodeGradientHeader(raw, info.Size, g.expect(out.Peer)); out.Verdict.OK() {
		out.Content = h.Content
	}
}

// header reads the beginning of a sealed gradient.
func header(ctx context.Context, b store.Reader, key, etag string) ([]byte, error) {
	body, err := b.GetRange(ctx, key, 0, int64(wire.GradientHeaderSize), etag)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw := make([]byte, wire.GradientHeaderSize)
	n, err := io.ReadFull(body, raw)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // it is shorter than a header
	}
	return raw[:n], err
}

// watch waits until ctx ends and returns false, or true as soon as the attempt stalls: no
// answer has come for as long as patience, or the body comes in so slowly that four times
// the pace would be too slow for the deadline.
func (g *gathering) watch(ctx context.Context, p *progress, patience time.Duration) bool {
	every, before := patience/2, int64(-1)
	for looks := 1; g.Schedule.Clock.Sleep(ctx, every) == nil; looks++ {
		size, got := p.size.Load()-1, p.got.Load()
		needed := float64(size-got) / float64(g.deadline.Sub(g.Schedule.Clock.Now())) // bytes a nanosecond
		switch {
		case size < 0 && looks > 1:
			return true
		case before >= 0 && 4*float64(got-before)/float64(every) < needed:
			return true
		case size >= 0:
			before = got
		}
	}
	return false
}

// progress is how far an attempt has come.
type progress struct {
	size atomic.Int64 // announced, plus one; zero while there is no answer
	got  atomic.Int64
}

func (p *progress) begin(size int64) { p.size.Store(size + 1) }

func (p *progress) Write(b []byte) (int, error) {
	p.got.Add(int64(len(b)))
	return len(b), nil
}

// PeerVerdicts sums payloads up for a telemetry.Gathered event.
func PeerVerdicts(payloads []Payload) (verdicts []telemetry.PeerVerdict, bytes int64) {
	for _, p := range payloads {
		verdicts = append(verdicts, telemetry.PeerVerdict{UID: p.Peer.UID, Verdict: p.Verdict, Bytes: p.Bytes, Attempts: p.Attempts, Duration: p.Duration})
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
