// Package aggregator is the role that folds each window's gradients into one signed
// Aggregate, the only thing that changes anybody's parameters.
//
// It holds no model. Everything that it decides is in the Aggregate: which gradients,
// by content hash, and which peers were skipped, with the verdict. It publishes with
// "create if absent", so that neither a restart nor a standby can publish a second
// Aggregate of a window.
package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"templar/internal/clock"
	"templar/internal/exchange"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Aggregator is the aggregation server. Create it with New.
type Aggregator struct {
	role.Deps
	cfg role.Config

	start    protocol.Window
	next     protocol.Window // the first window without an Aggregate
	previous protocol.Hash   // of the Aggregate of next-1
	stop     protocol.Window // the first window that is not aggregated

	mu struct {
		sync.Mutex
		status Status
	}
}

// Status is what an aggregator tells about itself.
type Status struct {
	Next     protocol.Window
	Included int // peers in the last Aggregate
	Skipped  int
}

// New returns an aggregator that Run starts.
func New(cfg role.Config, d role.Deps) *Aggregator { return &Aggregator{Deps: d, cfg: cfg} }

// Status returns the aggregator's state.
func (a *Aggregator) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.status
}

// Run aggregates every window from the first that has no Aggregate on, in order, until
// ctx ends or the stop window is reached. A fault costs a pause, never a window.
func (a *Aggregator) Run(ctx context.Context) error {
	if !slices.Contains(a.Exchange.Params.Aggregators, a.Exchange.Signer.Hotkey()) {
		return fmt.Errorf("aggregator: hotkey %s is not among the run's aggregators", a.Exchange.Signer.Hotkey())
	}
	if err := a.join(ctx); err != nil {
		return fmt.Errorf("aggregator: %w", err)
	}
	err := a.Repeat(ctx, func() bool { return a.next < a.stop }, a.window)
	if err == nil {
		a.phase("done")
	}
	return err
}

// join finds the run's start, and where the chain of Aggregates ends.
func (a *Aggregator) join(ctx context.Context) error {
	a.phase("starting")
	s, err := a.AwaitStart(ctx)
	if err != nil {
		return err
	}
	a.start, a.next, a.previous = s.StartWindow, s.StartWindow, protocol.Hash{}
	a.stop = exchange.StopAfter(s.StartWindow, a.cfg.Windows)
	last, found, err := exchange.NewestWindow(ctx, a.Exchange.Aggregator, "aggregator-")
	if err != nil || !found || last < a.start { // older ones are another run's
		return err
	}
	_, _, err = a.follow(ctx, last)
	return err
}

// follow takes over the published Aggregate of w as the end of the chain.
func (a *Aggregator) follow(ctx context.Context, w protocol.Window) (*wire.Aggregate, int64, error) {
	x := a.Exchange
	agg, hash, size, verdict := x.FetchAggregate(ctx, w, x.Clock.Now().Add(x.Params.WindowTime()))
	if !verdict.OK() {
		return nil, 0, fmt.Errorf("published aggregate of window %d: %s", w, verdict)
	}
	a.next, a.previous = w+1, hash
	return agg, size, nil
}

// window aggregates the next window, as soon as its upload deadline has passed.
func (a *Aggregator) window(ctx context.Context) error {
	x, w := a.Exchange, a.next
	a.phase("waiting")
	end, err := x.EndOf(ctx, w)
	if err != nil {
		return err
	}
	if err := x.Directory.Refresh(ctx); err != nil {
		return err
	}
	peers := a.Selected(ctx, w, a.cfg) // while the uploads come in
	bounds := x.Params.UploadBounds(end.Time)
	if err := clock.SleepUntil(ctx, x.Clock, bounds.Max); err != nil {
		return err
	}
	a.phase("gathering")
	payloads, took, err := a.gather(ctx, peers, bounds)
	if err != nil {
		return err
	}
	return a.publish(ctx, end.Time, payloads, took)
}

func (a *Aggregator) gather(ctx context.Context, peers []exchange.Peer, bounds protocol.Bounds) ([]exchange.Payload, time.Duration, error) {
	x := a.Exchange
	began := x.Clock.Now()
	payloads := x.Gather(ctx, a.next, peers, bounds, began.Add(x.Params.Gather()))
	took := x.Clock.Now().Sub(began)
	verdicts, size := exchange.PeerVerdicts(payloads)
	a.Report.Emit(a.next, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: took})
	return payloads, took, ctx.Err()
}

// publish archives the payloads, then creates the Aggregate. When another one stands
// there already, that one counts.
func (a *Aggregator) publish(ctx context.Context, t time.Time, payloads []exchange.Payload, took time.Duration) error {
	x := a.Exchange
	a.phase("publishing")
	agg, err := a.aggregate(ctx, t, payloads, took)
	if err != nil {
		return err
	}
	b, err := wire.EncodeAggregate(agg, x.Codec, x.Signer)
	if err != nil {
		return err
	}
	_, err = x.Aggregator.Put(ctx, protocol.AggregateKey(agg.Window), bytes.NewReader(b), int64(len(b)), store.PutOptions{IfAbsent: true})
	ours := !errors.Is(err, store.ErrExists)
	if err != nil && ours {
		return fmt.Errorf("publish: %w", err)
	}
	counts, size, err := a.follow(ctx, agg.Window)
	if err != nil {
		return err
	}
	a.published(counts, size, ours)
	return x.PruneAggregates(ctx, a.next)
}

// aggregate folds the usable payloads into the Aggregate of the next window.
func (a *Aggregator) aggregate(ctx context.Context, t time.Time, payloads []exchange.Payload, took time.Duration) (*wire.Aggregate, error) {
	x := a.Exchange
	ok, skipped := exchange.Usable(payloads)
	agg := &wire.Aggregate{
		Run: x.Hash, Window: a.next, Start: a.start, UploadFrom: t, Delta: x.Params.Delta(),
		LearningRate: float32(x.Params.LearningRateAt(x.Params.Step(a.start, a.next))),
		Previous:     a.previous, Skipped: skipped, GatherTime: took, Aggregator: x.Signer.Hotkey(),
	}
	for _, p := range ok {
		agg.Included = append(agg.Included, wire.Included{UID: p.Peer.UID, Hotkey: p.Peer.Hotkey, Content: p.Content})
	}
	if err := exchange.Keep(ctx, x.Aggregator, a.next, ok); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	began := x.Clock.Now()
	agg.Update = x.Fold(ok)
	agg.AggregateTime = x.Clock.Now().Sub(began)
	return agg, nil
}

func (a *Aggregator) published(agg *wire.Aggregate, size int64, ours bool) {
	a.mu.Lock()
	a.mu.status = Status{Next: a.next, Included: len(agg.Included), Skipped: len(agg.Skipped)}
	a.mu.Unlock()
	sum := exchange.Applied(agg, a.previous, protocol.Hash{}, 0, size)
	a.Report.Emit(agg.Window, telemetry.Published{Hash: a.previous, Bytes: size, Included: sum.Included, Skipped: sum.Skipped, Ours: ours})
}

func (a *Aggregator) phase(name string) { a.Phase(a.next, name) }
