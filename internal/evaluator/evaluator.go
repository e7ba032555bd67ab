// Package evaluator is the role that measures the model: it follows a run with the read keys of
// the dataset and aggregator buckets, and measures the loss on the dataset's held-out text, on
// which no miner trains, and multiple-choice tasks. It signs its results, and publishes them in a
// bucket of its own if it has one (docs/spec/results.md). It has no slot on the chain, and does not
// influence the run.
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
	"templar/internal/store"
	"templar/internal/tasks"
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
	// Tasks are measured too, after every TasksEvery windows, 0: every checkpoint_frequency, which is
	// how often validators keep a checkpoint, and before the first and after the last.
	Tasks      []*tasks.Set
	TasksEvery uint64
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
	// Tokenizer is the dataset's, by which bytes are counted and tasks are encoded; nil: not known.
	Tokenizer data.Tokenizer
	Signer    protocol.Signer
	Local     store.Bucket // its own directory, where it keeps its results
	Own       store.Bucket // where it publishes them; nil: nowhere
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
	tooFar       bool                     // behind to continue from the last result
	published    map[protocol.Window]bool // nil: not known
}

// New returns an evaluator that Run starts.
func New(cfg Config, d Deps) *Evaluator {
	cfg.Every = max(cfg.Every, 1)
	if cfg.Batches == 0 {
		cfg.Batches = defaultBatches
	}
	if cfg.TasksEvery == 0 {
		cfg.TasksEvery = d.Params.CheckpointFrequency
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
			e.tooFar = errors.Is(err, replica.ErrPruned)
			return err
		}
		return e.measure(ctx, e.full, e.cfg.Tasks)
	})
	if err == nil {
		e.Events.Phase(e.model.Next()-1, "done")
	}
	return err
}

// join restores a state: the newest one that is not after the last result, so that no state in
// between is left out, or else the newest. It measures it if it is due and was not.
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
	if len(e.cfg.Tasks) > 0 && e.Tokenizer == nil {
		return errors.New("tasks are encoded with the tokenizer of the dataset: name its tokenizer.json with --tokenizer")
	}
	e.full, e.sample = Spread(all, FullBatches), Spread(all, e.cfg.Batches)
	start, err := role.AwaitStart(ctx, e.Board, e.Log, e.Events)
	if err != nil {
		return err
	}
	last, err := e.lastResult(ctx)
	if err != nil {
		return err
	}
	next := resume.Any
	if last != nil && !e.tooFar {
		next = last.Window + 1
	}
	model, s, err := resume.Restore(ctx, e.Finder, e.Events, start, next)
	if err != nil {
		return err
	}
	e.model, e.stop = model, schedule.StopAfter(start.StartWindow, e.cfg.Windows)
	if last != nil {
		e.reportGap(last.Window+1, s.Next-1)
	}
	return e.due(ctx)
}

// reportGap logs that states after the windows from on, before another, were due and are not measured.
func (e *Evaluator) reportGap(from, before protocol.Window) {
	left := 0
	for w := from; w < before; w++ {
		if (uint64(w)+1-uint64(e.model.Start()))%e.cfg.Every == 0 {
			left++
		}
	}
	if left > 0 {
		e.Log.Warn("states are left out: there is no checkpoint before them any more", "states", left, "from", from, "to", before-1)
	}
}

// due measures the state if that is due. That of theta_0, which all others are compared with, is measured at length.
func (e *Evaluator) due(ctx context.Context) error {
	step := e.model.Step()
	sets := e.cfg.Tasks
	if step%e.cfg.TasksEvery != 0 {
		sets = nil
	}
	switch {
	case step == 0:
		return e.measure(ctx, e.full, sets)
	case step%e.cfg.Every == 0 || sets != nil:
		return e.measure(ctx, e.sample, sets)
	}
	return nil
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
		return e.due(ctx)
	})
	return err
}
