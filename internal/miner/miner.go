// Package miner is the role that trains: in each window it trains on the pages assigned to
// it by the run's method, uploads the payload in time, and applies the window's Aggregate.
//
// Run drives the phases in order; each phase is a method of its own file, takes time
// and concurrency from Deps.Clock, and can be called by a simulator.
package miner

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"templar/internal/attest"
	"templar/internal/bulletin"
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
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/method"
	"templar/protocol"
)

// Deps are the parts that a miner works with.
type Deps struct {
	run.Run
	Clock     clock.Clock
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

// Miner is one miner. Create it with New.
type Miner struct {
	Deps
	progress *role.Progress
	cfg      role.Config
	gathers  *mailbox.Gathers

	model   *replica.Replica
	stop    protocol.Window // the first window that is not trained
	trainer method.Trainer
	trained training
	pace    pace
	saved   time.Time     // when the private state was last made durable
	pause   time.Duration // until it is again
}

// New returns a miner that Run starts.
func New(cfg role.Config, d Deps) *Miner {
	m := &Miner{Deps: d, cfg: cfg, gathers: cfg.Gathers(d.Schedule, d.Local)}
	m.Events, m.progress = role.Watch(d.Events)
	return m
}

// Status returns the miner's progress. It may be called while Run runs.
func (m *Miner) Status() role.Status { return m.progress.Status() }

// Run joins the network and trains until ctx ends or the stop window is reached.
func (m *Miner) Run(ctx context.Context) error {
	loop := role.Loop{Schedule: m.Schedule, Log: m.Log, Fatal: resume.Lost}
	err := resume.Recover(ctx, m.Schedule, m.Log, func(ctx context.Context) error {
		if err := m.join(ctx); err != nil {
			return fmt.Errorf("miner: %w", err)
		}
		return loop.Repeat(ctx, func() bool { return m.model.Next() < m.stop }, m.window)
	})
	if err == nil {
		m.Events.Phase(m.model.Next(), "done")
	}
	return err
}

// join is the start-up: registration, bucket, start window, state.
func (m *Miner) join(ctx context.Context) error {
	m.Events.Phase(0, "starting")
	if err := m.Entry.Enter(ctx); err != nil {
		return err
	}
	start, err := role.AwaitStart(ctx, m.Board, m.Log, m.Events)
	if err != nil {
		return err
	}
	var s checkpoint.State
	if m.model, s, err = resume.Restore(ctx, m.Finder, m.Events, start, resume.Any); err != nil {
		return err
	}
	m.trainer = m.Method.NewTrainer(m.Engine)
	if s.Private != nil {
		if err := m.trainer.Load(ctx, s.Private); err != nil {
			m.Log.Warn("private state refused: training starts without it", "err", err)
		}
	}
	m.stop = schedule.StopAfter(s.Start, m.cfg.Windows)
	return nil
}

// window takes part in the current window, from training to the update.
func (m *Miner) window(ctx context.Context) error {
	w, err := m.Schedule.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	w = max(w, m.model.Start())
	if w >= m.stop { // too late to train: take the last updates
		return m.update(ctx, m.stop-1)
	}
	for m.model.Ahead() < w { // joined late, or slow: first catch up with the others
		if err := m.update(ctx, w-1); err != nil {
			return err
		}
		if w, err = m.Schedule.CurrentWindow(ctx); err != nil || w >= m.stop {
			return err
		}
	}
	if err := m.train(ctx, w); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := m.submit(ctx, w); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	reading, enough := context.WithCancel(ctx)
	defer enough()
	clock.Both(m.Clock, func() {
		defer enough() // the next window does not wait for its pages
		err = m.update(ctx, w)
	}, func() { m.prefetch(reading, w+1) })
	return err
}

// saveRate bounds what a miner writes to its own disk on average, in bytes a second: a
// small model is saved after every window, one of 1.2 billion parameters every ten minutes.
// A crash loses the private state, such as momentum, since the last save; parameters are restored
// from Aggregates.
const saveRate = 16 << 20

// save makes the private state durable, unless the last save was too recent.
func (m *Miner) save(ctx context.Context) error {
	if !m.saved.IsZero() && m.Clock.Now().Sub(m.saved) < m.pause {
		return nil
	}
	private, err := m.trainer.Save(ctx)
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	_, _, err = m.Saver.Save(ctx, m.Local, checkpoint.State{
		Start: m.model.Start(), Next: m.model.Next(), Previous: m.model.Previous(), Term: m.model.Term(),
		Params: m.model.Params(), Private: private,
	})
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	values := len(m.model.Params())
	for _, t := range private {
		values += len(t.Values)
	}
	m.saved, m.pause = m.Clock.Now(), savePause(values)
	return nil
}

// savePause is the least time between two saves of so many values.
func savePause(values int) time.Duration {
	return time.Duration(4 * float64(values) / saveRate * float64(time.Second))
}
