// Package miner is the role that trains: in each window it trains on the pages assigned to
// it by the run's method, uploads the payload in time, and applies the window's Aggregate.
//
// Run drives the phases in order; each phase is a method of its own file, takes time
// and concurrency from Deps.Clock, and can be called by a simulator.
package miner

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
	"templar/wire"
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
	Random    io.Reader    // of keys: crypto/rand but in a simulation
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
	secrets secrets
	key     wire.GradientKey // of the window in training
	pace    pace
	rest    func(context.Context) // what is still to be done for the last committed window; nil: nothing
	kept    protocol.Window       // before which the state that was saved last stands; 0: none
	saved   time.Time             // when the private state was last made durable
	pause   time.Duration         // until it is again
	finals  resume.Finals
}

// New returns a miner that Run starts.
func New(cfg role.Config, d Deps) *Miner {
	m := &Miner{Deps: d, cfg: cfg, gathers: cfg.Gathers(d.Schedule, d.Local), finals: resume.Finals{Run: d.Run.Hash, Local: d.Local}}
	m.Events, m.progress = role.Watch(d.Events)
	m.secrets.Miner = m
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
		var err error
		revealing, over := context.WithCancel(ctx)
		defer over()
		clock.Both(m.Clock, func() {
			defer over()
			err = loop.Repeat(ctx, func() bool { return m.model.Next() < m.stop }, m.window)
		}, func() { m.secrets.run(revealing) })
		if err != nil {
			return err
		}
		m.settle(ctx)
		m.saved = time.Time{} // there is no later one
		return m.save(ctx)
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
	if m.trainer == nil { // otherwise it went back to another state, and its private state goes on
		m.trainer = m.Method.NewTrainer(m.Engine)
		if s.Private != nil {
			if err := m.trainer.Load(ctx, s.Private); err != nil {
				m.Log.Warn("private state refused: training starts without it", "err", err)
			}
		}
	}
	if err := m.secrets.load(ctx); err != nil {
		return err
	}
	m.rest = nil            // of a state that was left
	m.kept = m.model.Next() // saved already, or still to be changed by a window
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
	if err := m.trainAndSave(ctx, w); err != nil {
		return err
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

// trainAndSave trains on w, and meanwhile hashes, shows and saves the state that the window before has
// left: nothing of it changes before the payload is made, but for what beginSave has written.
func (m *Miner) trainAndSave(ctx context.Context, w protocol.Window) error {
	saving, err := m.beginSave(ctx)
	if err != nil {
		return err
	}
	var trained, saved time.Time
	var unsaved, unkeyed error
	clock.Both(m.Clock, func() {
		err = m.train(ctx, w)
		trained = m.Clock.Now()
	}, func() {
		m.key, unkeyed = m.secrets.draw(ctx, w)
		m.settle(ctx)
		unsaved = cmp.Or(m.finishSave(ctx, saving), m.finals.Keep(ctx, m.model))
		saved = m.Clock.Now()
	})
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if wait := saved.Sub(trained); saving != nil && wait > m.Params.Delta()/4 {
		m.Log.Warn("the upload waited for the state to be saved: the disk is slow", "window", w, "waited", wait.Round(time.Millisecond))
	}
	return cmp.Or(unkeyed, unsaved)
}

// settle finishes what a committed window has left to do, if that is not done yet.
func (m *Miner) settle(ctx context.Context) {
	if rest := m.rest; rest != nil {
		m.rest = nil
		rest(ctx)
	}
}

// save makes the private state durable, unless the last save was too recent.
func (m *Miner) save(ctx context.Context) error {
	saving, err := m.beginSave(ctx)
	if err != nil {
		return err
	}
	return cmp.Or(m.finishSave(ctx, saving), m.finals.Keep(ctx, m.model))
}

// beginSave writes what training changes. It returns nil when the state is saved already, or was a
// short time ago.
func (m *Miner) beginSave(ctx context.Context) (*checkpoint.Saving, error) {
	now := m.Clock.Now()
	if m.model.Next() == m.kept || (!m.saved.IsZero() && now.Sub(m.saved) < m.pause) {
		return nil, nil
	}
	private, err := m.trainer.Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("save state: %w", err)
	}
	saving, err := m.Saver.Begin(ctx, m.Local, checkpoint.State{
		Start: m.model.Start(), Next: m.model.Next(), Previous: m.model.Previous(), Term: m.model.Term(),
		Params: m.model.Params(), Hash: m.model.StateHash, Private: private,
	}, checkpoint.Options{Final: m.model.Final().Next})
	if err != nil {
		return nil, fmt.Errorf("save state: %w", err)
	}
	values := len(m.model.Params())
	for _, t := range private {
		values += len(t.Values)
	}
	m.kept, m.saved, m.pause = m.model.Next(), now, resume.SavePause(values)
	return saving, nil
}

// finishSave writes the rest.
func (m *Miner) finishSave(ctx context.Context, s *checkpoint.Saving) error {
	if s == nil {
		return nil
	}
	if _, _, err := s.Finish(ctx); err != nil {
		m.kept = 0
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}
