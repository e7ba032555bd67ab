package mailbox

import (
	"context"
	"crypto/sha256"
	"io"
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

// Payload is one peer's gradient with this node's verdict. Gradient and Raw are set only when
// the verdict is OK.
type Payload struct {
	Peer     directory.Peer
	Verdict  protocol.Verdict
	Gradient *run.Gradient
	Raw      []byte        // the object's bytes
	Content  protocol.Hash // SHA-256 of Raw
	Stored   time.Time     // LastModified; zero while the store has not answered
	Bytes    int64         // read, in all attempts
	Attempts int
	Duration time.Duration // until the verdict was final
}

// Gatherer collects the gradients that other nodes have uploaded.
type Gatherer struct {
	Run      run.Run
	Schedule schedule.Schedule
	// Awaited reports whether the gather waits for a missing peer until the upload deadline; nil: for every
	// one. The others are asked once more when all that are waited for have answered.
	Awaited func(protocol.UID) bool
}

// Gather fetches and judges the gradients of window w from peers until the deadline. The
// result has one Payload per peer, in the order of peers. One peer's fault does not affect
// another: all are fetched concurrently and share no limited resource.
//
// A peer costs one connection and one buffer, never larger than the largest gradient of
// the run, so that memory is bounded by the number of peers. Size and time come with the
// response header: objects that are too large, early or late are refused before the body is read.
func (g Gatherer) Gather(ctx context.Context, w protocol.Window, peers []directory.Peer, bounds protocol.Bounds, deadline time.Time) []Payload {
	clk := g.Schedule.Clock
	ctx, cancel := clk.WithDeadline(ctx, deadline)
	defer cancel()
	began := clk.Now()
	all := gathering{Gatherer: g, window: w, bounds: bounds, began: began, deadline: deadline, patience: max(deadline.Sub(began)/4, leastPatience)}
	all.awaiting, all.settle = context.WithCancel(ctx)
	defer all.settle()
	for _, p := range peers {
		if all.awaits(p) {
			all.waiting.Add(1)
		}
	}
	all.answered(0)
	out := make([]Payload, len(peers))
	clk.Each(len(peers), len(peers), func(i int) {
		out[i] = all.fetch(ctx, peers[i])
		out[i].Duration = clk.Now().Sub(began)
		if all.awaits(peers[i]) {
			all.answered(1)
		}
	})
	return out
}

// leastPatience is the time that a distant, healthy store may take to answer.
const leastPatience = 250 * time.Millisecond

// gathering is the state that the fetches of one Gather share.
type gathering struct {
	Gatherer
	window   protocol.Window
	bounds   protocol.Bounds
	began    time.Time
	deadline time.Time
	patience time.Duration // how long an attempt may stall

	waiting  atomic.Int64    // peers that are waited for and have no final verdict
	awaiting context.Context // ends when there is none of them
	settle   context.CancelFunc
}

func (g *gathering) awaits(p directory.Peer) bool { return g.Awaited == nil || g.Awaited(p.UID) }

// answered notes that so many peers that are waited for have a final verdict.
func (g *gathering) answered(n int64) {
	if g.waiting.Add(-n) == 0 {
		g.settle()
	}
}

// fetch asks until the answer is final: a missing object is asked for once more
// after the upload deadline, a silent store until ctx ends. What is malformed is asked for
// twice: it may have been damaged on the way, which must not cost its owner its score.
func (g *gathering) fetch(ctx context.Context, p directory.Peer) Payload {
	if p.Bucket == nil {
		return Payload{Peer: p, Verdict: protocol.VerdictNoBucket}
	}
	out := Payload{Peer: p}
	if !g.awaits(p) {
		g.once(ctx, &out)
		return out
	}
	var buf []byte
	stalls, stalled, doubted := 0, false, false
	for {
		now := g.Schedule.Clock.Now()
		last := now.After(g.bounds.Max)
		patience := g.patience
		if stalls == 2 { // it may just be slow: this attempt may take the remaining time
			patience = 2 * g.deadline.Sub(g.Schedule.Clock.Now())
		}
		out.Attempts++
		buf, stalled = g.attempt(ctx, &out, buf, patience)
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

// once asks a peer that is not waited for: when the others have answered, or the upload deadline has passed.
func (g *gathering) once(ctx context.Context, out *Payload) {
	_ = clock.SleepUntil(g.awaiting, g.Schedule.Clock, g.bounds.Max)
	out.Attempts++
	out.Verdict = protocol.VerdictUnreachable
	_, _ = g.attempt(ctx, out, nil, leastPatience)
}

// pause is the time until a peer is asked again that was asked at a time: the last time just after the upload
// deadline.
func (g *gathering) pause(asked time.Time) time.Duration {
	pause := g.Schedule.Pause(asked.Sub(g.began))
	if left := g.bounds.Max.Sub(asked); left >= 0 {
		pause = min(pause, left+time.Millisecond)
	}
	return pause
}

// attempt makes one request, and gives up when it stalls, so that a connection that hangs or is
// very slow leaves time for other attempts. buf is used for the body, or replaced by a larger one.
func (g *gathering) attempt(ctx context.Context, out *Payload, buf []byte, patience time.Duration) (_ []byte, stalled bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var body progress
	clock.Both(g.Schedule.Clock, func() {
		defer cancel()
		buf = g.ask(ctx, out, buf, &body)
	}, func() {
		defer cancel()
		stalled = g.watch(ctx, &body, patience)
	})
	return buf, stalled
}

// ask reads and checks the object.
func (g *gathering) ask(ctx context.Context, out *Payload, buf []byte, p *progress) []byte {
	body, info, err := out.Peer.Bucket.Get(ctx, protocol.GradientKey(g.window, out.Peer.UID), maxGradient(g.Run))
	if err != nil {
		out.Verdict = store.VerdictOf(err)
		return buf
	}
	defer body.Close()
	out.Stored = info.LastModified
	if info.InParts() {
		out.Verdict = protocol.VerdictUndated
		return buf
	}
	if out.Verdict = g.bounds.Check(info.LastModified); !out.Verdict.OK() {
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
	expect := wire.Expect{Run: g.Run.Hash, Window: g.window, UID: out.Peer.UID, Hotkey: out.Peer.Hotkey}
	if out.Gradient, out.Verdict = g.Run.Gradient(raw, expect); out.Verdict.OK() {
		out.Raw, out.Content = raw, sha256.Sum256(raw)
	}
	return buf
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
