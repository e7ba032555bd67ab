// Package validator is the role that measures each miner's contribution: it evaluates
// gradients on data of its own choice, keeps ratings and scores, and sets the weights by
// which the chain pays. The validator with the highest stake also leads: it announces the
// run and selects the peers.
//
// A validator works validator_offset windows behind, so that all objects of a window are
// published before it is judged. Run drives the phases, one file each.
package validator

import (
	"context"
	"fmt"
	"log/slog"

	"templar/internal/attest"
	"templar/internal/bulletin"
	"templar/internal/chain"
	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/mailbox"
	"templar/internal/replica"
	"templar/internal/resume"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// maxBacklog is how many windows more than validator_offset a validator may be behind
// before it stops evaluating until it has caught up.
const maxBacklog = 2

// Deps are the parts that a validator works with.
type Deps struct {
	run.Run
	Clock     clock.Clock
	Chain     chain.Chain
	Schedule  schedule.Schedule
	Directory *directory.Directory
	Board     *bulletin.Board
	Gatherer  mailbox.Gatherer
	Outbox    *mailbox.Outbox
	Samples   attest.Samples
	Source    replica.Source
	Entry     role.Entry
	Finder    checkpoint.Finder
	Saver     checkpoint.Saver
	Engine    engine.Engine
	Data      *data.Dataset
	Local     store.Bucket // durable private state
	Log       *slog.Logger
	Events    telemetry.Reporter
}

// Validator is one validator. Create it with New.
type Validator struct {
	Deps
	progress *role.Progress
	cfg      role.Config
	gathers  *mailbox.Gathers

	origin protocol.Hash // of theta_0; zero: not drawn yet
	model  *replica.Replica
	owed   bool               // a checkpoint is due and not saved
	shelf  *shelf             // of checkpoints that are saved and not published
	stop   protocol.Window    // the first window that is not validated
	active *directory.Tracker // the active miners; nil before the first check
	absent mailbox.Absent     // by the Aggregates that are applied
	judged *session           // the last that was closed: its Aggregate may come later
	passed protocol.Hash      // the Aggregate that was found right last
	// unsigned is the last Aggregate that was applied without a recomputation, as its gradients are past their retention.
	unsigned protocol.Hash

	awaited awaited       // the Aggregate that is not there yet
	charges []wire.Charge // that this validator has published
	stated  []wire.Void   // likewise
	finals  resume.Finals

	book     score.Book
	reported protocol.Window // book.Next of the report that was published last
}

// New returns a validator that Run starts.
func New(cfg role.Config, d Deps) *Validator {
	v := &Validator{Deps: d, cfg: cfg, gathers: cfg.Gathers(d.Schedule, d.Local), finals: resume.Finals{Run: d.Run.Hash, Local: d.Local}}
	v.Events, v.progress = role.Watch(d.Events)
	v.Source.Docket.Judges = true
	return v
}

// Status returns the validator's progress. It may be called while Run runs.
func (v *Validator) Status() role.Status { return v.progress.Status() }

// Run joins the network and validates until ctx ends or the stop window is reached.
func (v *Validator) Run(ctx context.Context) error {
	loop := role.Loop{Schedule: v.Schedule, Log: v.Log, Fatal: resume.Lost}
	err := resume.Recover(ctx, v.Schedule, v.Log, func(ctx context.Context) error {
		if err := v.join(ctx); err != nil {
			return fmt.Errorf("validator: %w", err)
		}
		if err := v.withPublisher(ctx, func(ctx context.Context) error {
			return loop.Repeat(ctx, func() bool { return v.model.Next() < v.stop }, v.window)
		}); err != nil {
			return err
		}
		// What remains of an instance that was killed in the last window.
		v.sendReports(ctx, v.Params.WindowTime())
		if err := v.setWeights(ctx); err != nil {
			return err
		}
		return v.settle(ctx)
	})
	if err == nil {
		v.Events.Phase(v.model.Next(), "done")
	}
	return err
}

// join is the start-up: registration, bucket, start window, scores, state.
func (v *Validator) join(ctx context.Context) error {
	v.Events.Phase(0, "starting")
	if err := v.Entry.Enter(ctx); err != nil {
		return err
	}
	start, err := v.start(ctx)
	if err != nil {
		return err
	}
	if v.book, err = v.loadBook(ctx); err != nil {
		return err
	}
	if v.model, err = v.restore(ctx, start); err != nil {
		return err
	}
	if err := v.loadCharges(ctx); err != nil {
		return err
	}
	v.stop = schedule.StopAfter(start.StartWindow, v.cfg.Windows)
	return nil
}

// restore restores the newest state that precedes all windows that the validator can still judge
// and has not judged: another validator's checkpoint may be later.
func (v *Validator) restore(ctx context.Context, start wire.StartWindow) (*replica.Replica, error) {
	current, err := v.Schedule.CurrentWindow(ctx)
	if err != nil {
		return nil, err
	}
	work := resume.Any
	if v.book.Next > 0 && !v.tooLate(v.book.Next, current) {
		work = v.book.Next
	}
	r, _, err := resume.Restore(ctx, v.Finder, v.Events, start, work)
	return r, err
}

// tooLate reports whether the network is too far past w for it to be judged.
func (v *Validator) tooLate(w, current protocol.Window) bool {
	return current > w+protocol.Window(v.Params.ValidatorOffset)+maxBacklog
}

// window validates the next window, once the network is validator_offset windows past
// it.
func (v *Validator) window(ctx context.Context) error {
	w := v.model.Next()
	v.Events.Phase(w, "waiting")
	if _, err := v.Schedule.AwaitWindow(ctx, w+protocol.Window(v.Params.ValidatorOffset)); err != nil {
		return err
	}
	current, err := v.Schedule.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	if err := v.Directory.Refresh(ctx); err != nil {
		return err
	}
	err = v.model.Settle(ctx, v.Source, current)
	v.standBy(ctx)
	if err != nil {
		return err
	}
	v.chargeConflict(ctx)
	switch {
	case v.book.Next > w: // closed before: its Aggregate was late, or we were restarted
	case v.tooLate(w, current):
		v.Log.Warn("too far behind to evaluate", "window", w, "current", current)
		return v.catchUp(ctx, current-protocol.Window(v.Params.ValidatorOffset))
	default:
		if err := v.selectPeers(ctx, w, current); err != nil {
			v.Log.Warn("peer list not published", "window", w, "err", err)
		}
		s, err := v.score(ctx, w)
		if err != nil {
			return fmt.Errorf("score: %w", err)
		}
		v.judged = s
		v.chargeConflict(ctx) // before this validator signs the state after the window
	}
	return v.publish(ctx, w)
}

// publish sets the weights and publishes the reports that are due by the durable book, including
// those that an earlier instance left, and takes the model past w. Reports are uploaded
// concurrently: an unavailable bucket or a long queue delays nothing.
func (v *Validator) publish(ctx context.Context, w protocol.Window) error {
	if err := v.setWeights(ctx); err != nil {
		return err
	}
	var err error
	clock.Both(v.Clock, func() { err = v.update(ctx, w) }, func() { v.sendReports(ctx, v.Params.Gather()) })
	return err
}
