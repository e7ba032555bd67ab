// Package evaluator is the role that measures the model: it follows a run with the read keys of
// the dataset and aggregator buckets, and measures the loss on the dataset's held-out text, on
// which no miner trains. It has no slot on the chain and no bucket, and does not influence the
// run.
package evaluator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"templar/internal/bulletin"
	"templar/internal/checkpoint"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/replica"
	"templar/internal/resume"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/telemetry"
	"templar/protocol"
)

const (
	// FullBatches measure the first and the last state, spread over the held-out text.
	FullBatches = 128
	// defaultBatches measure the states between them.
	defaultBatches = 8
)

// Config is what an operator chooses.
type Config struct {
	// Windows to follow, counted from the run's start window; 0 means no end.
	Windows uint64
	// Every is the number of windows from one measurement to the next; 0 means 1.
	Every uint64
	// Batches to measure each time, of run.BatchSize sequences; 0 means 8. Those of the state
	// before the first window and of that after the last are up to 128.
	Batches int
}

// Deps are the parts that an evaluator works with.
type Deps struct {
	run.Run
	Schedule  schedule.Schedule
	Directory *directory.Directory
	Board     *bulletin.Board
	Source    replica.Source
	Finder    checkpoint.Finder
	Engine    engine.Engine
	Data      *data.Dataset
	// Tokenizer is the dataset's, by which bytes are counted; nil: not known.
	Tokenizer data.Tokenizer
	Log       *slog.Logger
	Events    telemetry.Reporter
}

// Evaluator is one evaluator. Create it with New.
type Evaluator struct {
	Deps
	progress *role.Progress
	cfg      Config

	// Run's own.
	model        *replica.Replica
	stop         protocol.Window // the first window that is not followed
	full, sample []engine.Batch
}

// New returns an evaluator that Run starts.
func New(cfg Config, d Deps) *Evaluator {
	cfg.Every = max(cfg.Every, 1)
	if cfg.Batches == 0 {
		cfg.Batches = defaultBatches
	}
	e := &Evaluator{Deps: d, cfg: cfg}
	e.Events, e.progress = role.Watch(d.Events)
	return e
}

// Status returns the evaluator's progress. It may be called while Run runs.
func (e *Evaluator) Status() role.Status { return e.progress.Status() }

// Model returns a copy of the parameters that Run ended with; nil when it has restored none.
// It must not be called while Run runs.
func (e *Evaluator) Model() []float32 {
	if e.model == nil {
		return nil
	}
	return slices.Clone(e.model.Params())
}

// Run follows the run and measures until ctx ends or the stop window is reached.
func (e *Evaluator) Run(ctx context.Context) error {
	loop := role.Loop{Schedule: e.Schedule, Log: e.Log, Fatal: resume.Lost}
	err := resume.Recover(ctx, e.Schedule, e.Log, func(ctx context.Context) error {
		if err := e.join(ctx); err != nil {
			return fmt.Errorf("evaluator: %w", err)
		}
		if err := loop.Repeat(ctx, func() bool { return e.model.Next() < e.stop }, e.window); err != nil {
			return err
		}
		return e.measure(ctx, e.model.Next()-1, e.full)
	})
	if err == nil {
		e.Events.Phase(e.model.Next()-1, "done")
	}
	return err
}

// join restores the newest state, and measures it if it is theta_0.
func (e *Evaluator) join(ctx context.Context) error {
	e.Events.Phase(0, "starting")
	tokens, err := e.Data.HeldOut(ctx)
	if err != nil {
		return fmt.Errorf("held-out text: %w", err)
	}
	all := data.Batches(tokens, e.Params.SequenceLength, e.Params.BatchSize)
	if len(all) == 0 {
		return errors.New("the dataset has no held-out text to measure: build it with one")
	}
	e.full, e.sample = Spread(all, FullBatches), Spread(all, e.cfg.Batches)
	start, err := role.AwaitStart(ctx, e.Board, e.Log, e.Events)
	if err != nil {
		return err
	}
	model, s, err := resume.Restore(ctx, e.Finder, e.Events, start, resume.Any)
	if err != nil {
		return err
	}
	e.model, e.stop = model, schedule.StopAfter(start.StartWindow, e.cfg.Windows)
	if s.Next > s.Start {
		return nil
	}
	return e.measure(ctx, s.Start-1, e.full)
}

// Spread picks n batches at equal distances, or all when there are fewer.
func Spread(all []engine.Batch, n int) []engine.Batch {
	if len(all) <= n {
		return all
	}
	out := make([]engine.Batch, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

// window follows the next window's Aggregate, and those after it of windows that have ended.
func (e *Evaluator) window(ctx context.Context) error {
	w := e.model.Next()
	e.Events.Phase(w, "fetching")
	if _, err := e.Schedule.EndOf(ctx, w); err != nil {
		return err
	}
	current, err := e.Schedule.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	if err := e.Directory.Refresh(ctx); err != nil {
		return err
	}
	target := min(max(w+1, current), e.stop)
	end, err := e.Schedule.EndOf(ctx, target-1)
	if err != nil {
		return err
	}
	_, err = e.model.Follow(ctx, e.Source, target, e.Schedule.AggregateDeadline(end), func(a *run.Aggregate, hash protocol.Hash, size int64) error {
		e.Events.Emit(a.Window, e.model.Applied(a, hash, size))
		if e.model.Step()%e.cfg.Every != 0 {
			return nil
		}
		return e.measure(ctx, a.Window, e.sample)
	})
	return err
}

// measure reports the loss on held-out text after window w.
func (e *Evaluator) measure(ctx context.Context, w protocol.Window, batches []engine.Batch) error {
	e.Events.Phase(w, "measuring")
	if err := e.Engine.Load(ctx, e.model.Params()); err != nil {
		return err
	}
	sum, err := engine.Losses(ctx, e.Engine, batches)
	if err != nil {
		return fmt.Errorf("measure held-out text: %w", err)
	}
	h := telemetry.HeldOut{Loss: sum.Mean(), Tokens: sum.Tokens, Bytes: e.size(batches)}
	e.Events.Emit(w, h)
	return nil
}

// size is the number of bytes of text in the measured tokens; 0 when unknown.
func (e *Evaluator) size(batches []engine.Batch) (n int64) {
	if e.Tokenizer == nil {
		return 0
	}
	for _, b := range batches {
		counted := slices.DeleteFunc(slices.Clone(b.Targets), func(t int32) bool { return t == engine.Ignore })
		n += int64(len(e.Tokenizer.Decode(counted)))
	}
	return n
}
