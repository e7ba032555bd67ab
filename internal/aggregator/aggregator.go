// Package aggregator is the role that folds each window's gradients into one signed
// Aggregate, the only thing that changes anybody's parameters.
//
// It holds no model. Everything that it decides is in the Aggregate: which gradients,
// by content hash, and which peers were skipped, with the verdict. It publishes with
// "create if absent", so that neither a restart nor a standby can publish a second
// Aggregate of a window. Copies of the last few are kept on its own disk, so that neither
// can a store that forgets.
package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"templar/internal/clock"
	"templar/internal/directory"
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

	joined   bool
	start    protocol.Window
	next     protocol.Window // the first window without an Aggregate
	previous protocol.Hash   // of the Aggregate of next-1
	stop     protocol.Window // the first window that is not aggregated
}

// New returns an aggregator that Run starts.
func New(cfg role.Config, d role.Deps) *Aggregator { return &Aggregator{Deps: d, cfg: cfg} }

// Run aggregates every window from the first that has no Aggregate on, in order, until
// ctx ends or the stop window is reached. A fault costs a pause, never a window, from the
// first step on: only what no patience can mend ends it.
func (a *Aggregator) Run(ctx context.Context) error {
	if !slices.Contains(a.Exchange.Params.Aggregators, a.Exchange.Signer.Hotkey()) {
		return fmt.Errorf("aggregator: hotkey %s is not among the run's aggregators", a.Exchange.Signer.Hotkey())
	}
	var hopeless error
	err := a.Repeat(ctx, func() bool { return hopeless == nil && (!a.joined || a.next < a.stop) }, func(ctx context.Context) error {
		if a.joined {
			return a.window(ctx)
		}
		err := a.join(ctx)
		if errors.Is(err, exchange.ErrOtherRun) {
			hopeless, err = err, nil
		}
		return err
	})
	if err = errors.Join(err, hopeless); err != nil {
		return fmt.Errorf("aggregator: %w", err)
	}
	a.phase("done")
	return nil
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
	last, found, err := store.NewestWindow(ctx, a.Exchange.Aggregator, "aggregator-")
	if err != nil {
		return err
	}
	if found && last >= a.start { // older ones are another run's
		if _, _, err := a.follow(ctx, last, nil); err != nil {
			return err
		}
	}
	if err := a.resume(ctx); err != nil {
		return err
	}
	a.joined = true
	return nil
}

// follow takes over the published Aggregate of w as the end of the chain, and keeps a copy
// unless it is ours, of which there is one.
func (a *Aggregator) follow(ctx context.Context, w protocol.Window, ours []byte) (*wire.Aggregate, int64, error) {
	x := a.Exchange
	raw, verdict := x.AggregateBytes(ctx, w, x.Clock.Now().Add(x.Params.WindowTime()))
	var agg *wire.Aggregate
	var hash protocol.Hash
	if verdict.OK() {
		agg, hash, verdict = wire.DecodeAggregate(raw, x.Codec, x.Hash, w, x.Params.Aggregators)
	}
	if !verdict.OK() {
		return nil, 0, fmt.Errorf("published aggregate of window %d: %s", w, verdict)
	}
	if !bytes.Equal(raw, ours) {
		a.copy(ctx, protocol.AggregateKey(w), raw)
	}
	a.next, a.previous = w+1, hash
	return agg, int64(len(raw)), nil
}

// window aggregates the next window, as soon as its upload deadline has passed.
func (a *Aggregator) window(ctx context.Context) error {
	x, w := a.Exchange, a.next
	a.phase("waiting")
	end, err := a.end(ctx, w)
	if err != nil {
		return err
	}
	a.putBack(ctx) // while the uploads come in, as what follows
	if done, err := a.again(ctx); done || err != nil {
		return err
	}
	if err := x.Directory.Refresh(ctx); err != nil {
		if ctx.Err() != nil || len(x.Directory.Peers()) == 0 {
			return err
		}
		a.Log.Warn("peers not updated: gathering from those of an earlier window", "window", w, "err", err)
	}
	peers := a.Selected(ctx, w, a.cfg)
	bounds := x.Params.UploadBounds(end)
	if err := clock.SleepUntil(ctx, x.Clock, bounds.Max); err != nil {
		return err
	}
	a.phase("gathering")
	payloads, took, err := a.gather(ctx, peers, bounds)
	if err != nil {
		return err
	}
	return a.publish(ctx, end, payloads, took)
}

func (a *Aggregator) gather(ctx context.Context, peers []directory.Peer, bounds protocol.Bounds) ([]exchange.Payload, time.Duration, error) {
	x := a.Exchange
	began := x.Clock.Now()
	payloads := x.Gather(ctx, a.next, peers, bounds, began.Add(x.Params.Gather()))
	took := x.Clock.Now().Sub(began)
	verdicts, size := exchange.PeerVerdicts(payloads)
	a.Report.Emit(a.next, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: took})
	return payloads, took, ctx.Err()
}

func (a *Aggregator) phase(name string) { a.Phase(a.next, name) }
