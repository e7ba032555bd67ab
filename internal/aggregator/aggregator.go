// Package aggregator is the role that combines each window's gradients into one signed
// Aggregate, the only object that changes the nodes' parameters.
//
// It holds no model. All its decisions are in the Aggregate: the gradients, by content
// hash, and the skipped peers, with their verdicts. It publishes with "create if absent",
// so that neither a restart nor a standby can publish a second Aggregate of a window.
// Copies of the last few are kept on its own disk, so that a store that loses data does not
// lead to a second one either.
package aggregator

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"templar/internal/attest"
	"templar/internal/bulletin"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Deps are the parts that an aggregator works with. It has no bucket of its own, no engine
// and no data.
type Deps struct {
	run.Run
	Clock      clock.Clock
	Schedule   schedule.Schedule
	Directory  *directory.Directory
	Board      *bulletin.Board
	Gatherer   mailbox.Gatherer
	Aggregates mailbox.Aggregates
	Docket     *attest.Docket
	Shelf      *mailbox.Shelf // the aggregator bucket
	Signer     protocol.Signer
	Local      store.Bucket // durable private state
	Log        *slog.Logger
	Events     telemetry.Reporter
}

// Aggregator is the aggregation server. Create it with New.
type Aggregator struct {
	Deps
	progress *role.Progress
	cfg      role.Config

	joined   bool
	start    protocol.Window
	origin   protocol.Hash               // of the announcement
	next     protocol.Window             // the first window without an Aggregate
	previous protocol.Hash               // of the Aggregate of next-1
	absent   mailbox.Absent              // by the Aggregates before next
	newest   named                       // by the Aggregate of next-1
	owed     protocol.Window             // the first window whose gradients may not be in the archive
	term     protocol.Term               // of that Aggregate
	closings map[protocol.Window]settled // the statements on which this process has settled
	stop     protocol.Window             // the first window that is not aggregated
	settled  bool                        // no Aggregate before stop will be called false
}

// New returns an aggregator that Run starts.
func New(cfg role.Config, d Deps) *Aggregator {
	a := &Aggregator{Deps: d, cfg: cfg, closings: make(map[protocol.Window]settled)}
	a.Events, a.progress = role.Watch(d.Events)
	return a
}

// Status returns the aggregator's progress. It may be called while Run runs.
func (a *Aggregator) Status() role.Status { return a.progress.Status() }

// Run aggregates every window in order, from the first that has no Aggregate, until ctx ends
// or the stop window is reached. From the first step on it retries after errors, and never
// skips a window; only permanent errors end it.
func (a *Aggregator) Run(ctx context.Context) error {
	if !slices.Contains(a.Params.Aggregators, a.Signer.Hotkey()) {
		return fmt.Errorf("aggregator: hotkey %s is not among the run's aggregators", a.Signer.Hotkey())
	}
	loop := role.Loop{Schedule: a.Schedule, Log: a.Log, Fatal: bulletin.Hopeless}
	err := loop.Repeat(ctx, func() bool { return !a.joined || a.next < a.stop || !a.settled }, func(ctx context.Context) error {
		switch {
		case !a.joined:
			return a.join(ctx)
		case a.next < a.stop:
			return a.window(ctx)
		}
		return a.linger(ctx)
	})
	if err != nil {
		return fmt.Errorf("aggregator: %w", err)
	}
	if err := a.finish(ctx); err != nil {
		return err
	}
	a.phase("done")
	return nil
}

// join finds the run's start and the end of the chain of Aggregates.
func (a *Aggregator) join(ctx context.Context) error {
	a.phase("starting")
	s, err := role.AwaitStart(ctx, a.Board, a.Log, a.Events)
	if err != nil {
		return err
	}
	a.start, a.origin = s.StartWindow, s.Hash()
	a.next, a.previous = s.StartWindow, protocol.Hash{}
	a.stop = schedule.StopAfter(s.StartWindow, a.cfg.Windows)
	a.Docket.Refresh(ctx, nil)
	last, found, err := a.newestIn(ctx, a.Shelf.Bucket)
	if err != nil {
		return err
	}
	if found && last >= a.start { // older ones are another run's
		if last > a.start {
			a.recall(ctx, last-1)
		}
		if _, _, err := a.follow(ctx, last); err != nil {
			return err
		}
	}
	if err := a.resume(ctx); err != nil {
		return err
	}
	a.owed = a.next - min(a.next-a.start, a.kept())
	a.joined = true
	return nil
}

// recall reads an older Aggregate, for the peers that it skipped. Without it all peers are waited for.
func (a *Aggregator) recall(ctx context.Context, w protocol.Window) {
	raw, verdict := a.Aggregates.Raw(ctx, w, a.termOf(w), a.Clock.Now().Add(a.Params.Gather()))
	if !verdict.OK() {
		return
	}
	if agg, _, verdict := a.Aggregate(raw, w, a.termOf(w)); verdict.OK() {
		a.absent.Add(agg)
	}
}

// follow makes the published Aggregate of w the end of the chain, and keeps a copy of it unless
// it is ours, of which a copy exists.
func (a *Aggregator) follow(ctx context.Context, w protocol.Window) (*run.Aggregate, int64, error) {
	raw, verdict := a.Aggregates.Raw(ctx, w, a.termOf(w), a.Clock.Now().Add(a.Params.WindowTime()))
	if verdict.OK() {
		if c, err := a.copyOf(ctx, w); err != nil || c == nil || !bytes.Equal(c.raw, raw) {
			a.copy(ctx, protocol.AggregateKey(w, a.termOf(w)), raw)
		}
	}
	return a.link(w, raw, verdict)
}

// link makes an Aggregate that the bucket holds the end of the chain.
func (a *Aggregator) link(w protocol.Window, raw []byte, verdict protocol.Verdict) (*run.Aggregate, int64, error) {
	t := a.termOf(w)
	var agg *run.Aggregate
	var hash protocol.Hash
	if verdict.OK() {
		agg, hash, verdict = a.Aggregate(raw, w, t)
	}
	if !verdict.OK() {
		return nil, 0, fmt.Errorf("published aggregate of window %d: %s", w, verdict)
	}
	a.next, a.previous, a.term = w+1, hash, t
	a.newest = names(agg)
	a.absent.Add(agg)
	return agg, int64(len(raw)), nil
}

// window aggregates the next window: as soon as the gradients of all peers that are waited for are in, or its
// upload deadline has passed. The time before the window ends is for what can wait.
func (a *Aggregator) window(ctx context.Context) error {
	w := a.next
	a.phase("waiting")
	end, line, void, err := a.meanwhile(ctx, w)
	switch {
	case void != nil:
		return a.goBack(ctx, void.Window)
	case err != nil:
		return err
	}
	if done, err := a.turn(ctx); done || err != nil {
		return err
	}
	if done, err := a.again(ctx); done || err != nil {
		return err
	}
	began := a.Clock.Now()
	a.phase("gathering")
	closed, collected, err := a.close(ctx, end, line)
	if err != nil {
		return err
	}
	a.phase("revealing")
	payloads, err := a.reveal(ctx, closed, line, collected)
	if err != nil {
		return err
	}
	took := a.Clock.Now().Sub(began)
	a.gathered(payloads, took)
	return a.publish(ctx, closed, payloads, took)
}

// meanwhile returns T of window w as soon as it is known, and the window's peers. Until then it archives what was
// published, puts back what the store has lost, and reads the validators' charges: when Aggregates become void it returns
// at once, since all nodes wait for those that replace them.
func (a *Aggregator) meanwhile(ctx context.Context, w protocol.Window) (end time.Time, line bulletin.Lineup, void *wire.Void, err error) {
	waiting, over := context.WithCancel(ctx)
	defer over()
	var unknown error
	clock.Both(a.Clock, func() {
		defer over()
		end, err = a.end(waiting, w)
	}, func() {
		if line, unknown = a.lineup(ctx, w); unknown != nil {
			return
		}
		if failed := a.settle(waiting); failed != nil && waiting.Err() == nil {
			a.Log.Warn("gradients not archived, trying again", "window", a.owed, "err", failed)
		}
		a.putBack(waiting)
		if void = a.awaitVoid(waiting); void != nil {
			over()
		}
	})
	return end, line, void, cmp.Or(err, unknown)
}

// lineup reads who takes part in a window.
func (a *Aggregator) lineup(ctx context.Context, w protocol.Window) (bulletin.Lineup, error) {
	if err := a.Directory.Refresh(ctx); err != nil {
		if ctx.Err() != nil || len(a.Directory.Peers()) == 0 {
			return bulletin.Lineup{}, err
		}
		a.Log.Warn("peers not updated: gathering from those of an earlier window", "window", w, "err", err)
	}
	return role.Lineup(ctx, a.Board, w, a.cfg, a.Log), nil
}

func (a *Aggregator) phase(name string) { a.Events.Phase(a.next, name) }
