package evaluator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"templar/internal/clock"
	"templar/internal/engine"
	"templar/internal/results"
	"templar/internal/schedule"
	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/tasks"
	"templar/internal/telemetry"
	"templar/protocol"
)

// measure measures the committed state on batches of held-out text, and on tasks, and reports and publishes the
// results. What is in a record of an earlier process is not measured again. The record is durable after
// each part, so that a stop costs one task.
func (e *Evaluator) measure(ctx context.Context, batches []engine.Batch, sets []*tasks.Set) error {
	w, began := e.model.Next()-1, e.Schedule.Clock.Now()
	r := e.record(ctx, w)
	m := &measurement{Evaluator: e, window: w, record: r}
	if r.HeldOut.Tokens < counted(batches) {
		if err := m.heldOut(ctx, batches); err != nil {
			return err
		}
	}
	e.Events.Emit(w, telemetry.HeldOut{Loss: float64(r.HeldOut.Loss), Tokens: int(r.HeldOut.Tokens), Bytes: r.HeldOut.Bytes, Tasks: len(sets) > 0})
	var scores []telemetry.TaskScore
	for _, s := range sets {
		t, err := m.task(ctx, s)
		if errors.Is(err, tasks.ErrNotFinite) {
			e.Log.Warn("a task is left out of the results", "window", w, "err", err)
			continue
		}
		if err != nil {
			return err
		}
		scores = append(scores, scoreOf(t))
	}
	if len(sets) > 0 {
		slices.SortFunc(scores, func(a, b telemetry.TaskScore) int { return strings.Compare(a.Task, b.Task) })
		e.Events.Emit(w, telemetry.Benchmarked{Tasks: scores, Duration: e.Schedule.Clock.Now().Sub(began)})
	}
	if err := e.publish(ctx); err != nil && ctx.Err() == nil {
		e.Log.Warn("results are not published yet", "window", w, "err", err)
	}
	return ctx.Err()
}

// measurement is one state's.
type measurement struct {
	*Evaluator
	window protocol.Window
	record *results.Record
	loaded bool
}

// load gives the engine the state.
func (m *measurement) load(ctx context.Context) error {
	if m.loaded {
		return nil
	}
	m.loaded = true
	return m.Engine.Load(ctx, m.model.Params())
}

func (m *measurement) heldOut(ctx context.Context, batches []engine.Batch) error {
	m.Events.Phase(m.window, "measuring")
	if err := m.load(ctx); err != nil {
		return err
	}
	sum, err := engine.Losses(ctx, m.Engine, batches)
	if err != nil {
		return fmt.Errorf("measure held-out text: %w", err)
	}
	m.record.HeldOut = results.HeldOut{Loss: score.Number(sum.Mean()), Tokens: int64(sum.Tokens), Bytes: m.size(batches)}
	return m.keep(ctx, m.record)
}

func (m *measurement) task(ctx context.Context, s *tasks.Set) (results.Task, error) {
	t := results.Task{Name: s.Task, Files: s.Hash, Shots: s.Shots, Limit: s.Limit}
	if had, ok := m.record.Task(s.Task); ok && had.Same(t) && m.record.Tokenizer == m.Tokenizer.Name() {
		return had, nil
	}
	m.Events.Phase(m.window, "task "+s.Task)
	if err := m.load(ctx); err != nil {
		return t, err
	}
	p := m.Params
	r, err := s.Measure(ctx, tasks.Measurement{
		Model: m.Engine, Encoder: tasks.NewEncoder(m.Tokenizer, p.Model.VocabSize, p.Model.MaxPositions), Tokens: p.BatchSize * p.SequenceLength,
	})
	if err != nil {
		return t, err
	}
	t.Tally = tally(r.Tally)
	for _, name := range slices.Sorted(maps.Keys(r.Subjects)) {
		t.Subjects = append(t.Subjects, results.Subject{Name: name, Tally: tally(r.Subjects[name])})
	}
	if m.record.Tokenizer != m.Tokenizer.Name() {
		m.record.Tokenizer, m.record.Tasks = m.Tokenizer.Name(), nil
	}
	m.record.Tasks = slices.DeleteFunc(m.record.Tasks, func(o results.Task) bool { return o.Name == t.Name })
	m.record.Tasks = append(m.record.Tasks, t)
	slices.SortFunc(m.record.Tasks, func(a, b results.Task) int { return strings.Compare(a.Name, b.Name) })
	return t, m.keep(ctx, m.record)
}

func tally(t tasks.Tally) results.Tally {
	return results.Tally{Documents: int64(t.Documents), Correct: int64(t.Correct), Normed: int64(t.Normed), LogLikelihood: score.Number(t.LogLikelihood / float64(t.Documents))}
}

// scoreOf is a task's result for people.
func scoreOf(t results.Task) telemetry.TaskScore {
	acc, norm := t.Scores()
	out := telemetry.TaskScore{
		Task: t.Name, Shots: t.Shots, Documents: int(t.Documents), Acc: acc.Value, AccErr: acc.StdErr,
		Norm: norm.Value, NormErr: norm.StdErr, LogLikelihood: float64(t.LogLikelihood),
	}
	if !tasks.Normed(t.Name) {
		out.Norm, out.NormErr = math.NaN(), math.NaN()
	}
	return out
}

// counted is the number of tokens that batches predict.
func counted(batches []engine.Batch) (n int64) {
	for _, b := range batches {
		for _, t := range b.Targets {
			if t != engine.Ignore {
				n++
			}
		}
	}
	return n
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

// record is what is known of the committed state, after window w: results of an earlier process, or nothing yet.
func (e *Evaluator) record(ctx context.Context, w protocol.Window) *results.Record {
	r, err := e.read(ctx, w)
	if err == nil && r.State == e.model.StateHash() && r.Engine == engine.Kind(e.Engine) {
		return r
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		e.Log.Warn("earlier results cannot be used: measuring again", "window", w, "err", err)
	}
	return &results.Record{Version: results.Version, Run: e.Hash, Start: e.model.Start(), Window: w, State: e.model.StateHash(), Engine: engine.Kind(e.Engine)}
}

// read reads a record of this evaluator from its own directory.
func (e *Evaluator) read(ctx context.Context, w protocol.Window) (*results.Record, error) {
	b, _, err := store.ReadAll(ctx, e.Local, protocol.EvaluationKey(w), results.MaxSize)
	if err != nil {
		return nil, err
	}
	r, by, err := results.Decode(b)
	switch {
	case err != nil:
		return nil, err
	case r.Run != e.Hash || r.Window != w || by != e.Signer.Hotkey():
		return nil, errors.New("they are another run's, or another hotkey's")
	}
	return r, nil
}

// keep makes a record durable.
func (e *Evaluator) keep(ctx context.Context, r *results.Record) error {
	b, err := r.Encode(e.Signer)
	if err == nil {
		err = store.PutBytes(ctx, e.Local, protocol.EvaluationKey(r.Window), b, store.PutOptions{})
	}
	if err != nil {
		return fmt.Errorf("keep results of window %d: %w", r.Window, err)
	}
	delete(e.published, r.Window)
	return nil
}

// lastResult is the record of the last window that was measured, nil when there is none of this run.
func (e *Evaluator) lastResult(ctx context.Context) (last *results.Record, err error) {
	all, err := evaluations(ctx, e.Local)
	if err != nil {
		return nil, fmt.Errorf("earlier results: %w", err)
	}
	for _, w := range slices.Backward(all) {
		if r, err := e.read(ctx, w); err == nil {
			return r, nil
		}
	}
	return nil, nil
}

// evaluations lists the windows of the records in a bucket, ascending.
func evaluations(ctx context.Context, b store.Reader) (all []protocol.Window, err error) {
	err = store.EachKey(ctx, b, protocol.KindEvaluation.Prefix(), func(_ string, k protocol.Key) {
		if k.Kind == protocol.KindEvaluation {
			all = append(all, k.Window)
		}
	})
	slices.SortFunc(all, cmp.Compare[protocol.Window])
	return all, err
}

// publishTime bounds how long publishing may keep the evaluator from the next window.
const publishTime = 30 * time.Second

// publish uploads the records that the bucket does not have, or may have an older form of. The first call looks
// there for those of earlier processes.
func (e *Evaluator) publish(ctx context.Context) error {
	if e.Own == nil {
		return nil
	}
	ctx, cancel := clock.WithTimeout(ctx, e.Schedule.Clock, publishTime)
	defer cancel()
	all, err := evaluations(ctx, e.Local)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return nil
	}
	if e.published == nil {
		there, err := evaluations(ctx, e.Own)
		if err != nil {
			return err
		}
		e.published = make(map[protocol.Window]bool)
		for _, w := range there {
			e.published[w] = w+schedule.Retention(e.Params) < all[len(all)-1] // newer ones may have been measured again
		}
	}
	for _, w := range all {
		if e.published[w] {
			continue
		}
		b, _, err := store.ReadAll(ctx, e.Local, protocol.EvaluationKey(w), results.MaxSize)
		if err == nil {
			err = store.PutBytes(ctx, e.Own, protocol.EvaluationKey(w), b, store.PutOptions{})
		}
		if err != nil {
			return err
		}
		e.published[w] = true
	}
	return nil
}
