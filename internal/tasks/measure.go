package tasks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"templar/internal/engine"
)

// Model computes losses.
type Model interface {
	RowLosses(ctx context.Context, b engine.Batch) ([]engine.Loss, error)
}

// Measurement says how a set is measured.
type Measurement struct {
	Model   Model
	Encoder *Encoder
	// Tokens are computed at once, or one sequence where that is longer; 0 means 8192.
	Tokens int
	// Progress, unless it is nil, is called behind each batch with the number of answers that the model has judged.
	Progress func(done, of int)
	// Scored, unless it is nil, is called for each document with the log-likelihoods of its answers.
	Scored func(document int, logLikelihoods []float64)

	done, of int // answers
}

// Result is what a model achieved on a task, or on the documents that were measured before it was interrupted.
type Result struct {
	Task string
	Tally
	Subjects map[string]Tally // of MMLU
}

// Tally counts right answers.
type Tally struct {
	Documents int
	Correct   int // the right answer was the most likely one
	Normed    int // likewise, for each character of the answers
	// LogLikelihood is that of the right answers, summed: nats.
	LogLikelihood float64
}

func (t *Tally) add(right, normed bool, logLikelihood float64) {
	t.Documents++
	if right {
		t.Correct++
	}
	if normed {
		t.Normed++
	}
	t.LogLikelihood += logLikelihood
}

// Score is an accuracy with its standard error.
type Score struct {
	Value  float64
	StdErr float64 // NaN of a single document
}

// Accuracy is the share of documents whose right answer is the most likely.
func (r Result) Accuracy() Score { return r.score(func(t Tally) int { return t.Correct }) }

// NormedAccuracy is the same for the likelihood of a character. It has no meaning where Normed says so.
func (r Result) NormedAccuracy() Score { return r.score(func(t Tally) int { return t.Normed }) }

// score is the mean of zeros and ones. The standard error of MMLU is that of its subjects, pooled.
func (r Result) score(right func(Tally) int) Score {
	if len(r.Subjects) < 2 {
		return scoreOf(r.Tally, right(r.Tally))
	}
	sum, degrees := 0.0, 0
	for _, t := range r.Subjects {
		if t.Documents < 2 {
			return Score{float64(right(r.Tally)) / float64(r.Documents), math.NaN()}
		}
		e := scoreOf(t, right(t)).StdErr
		sum += float64(t.Documents) * float64(t.Documents-1) * e * e
		degrees += t.Documents - 1
	}
	return Score{float64(right(r.Tally)) / float64(r.Documents), math.Sqrt(sum / float64(degrees) / float64(r.Documents))}
}

func scoreOf(t Tally, right int) Score {
	p := float64(right) / float64(t.Documents)
	return Score{p, math.Sqrt(p * (1 - p) / float64(t.Documents-1))}
}

// chunk is how many documents are sorted by length together. Those of whole chunks are what an interrupted
// measurement has done: the first ones of the task, not the shortest.
const chunk = 256

// Measure asks the model about each document. When ctx ends it returns the result of the documents before that,
// with ctx's error.
func (s *Set) Measure(ctx context.Context, m Measurement) (Result, error) {
	r := Result{Task: s.Task}
	for _, d := range s.Documents {
		m.of += len(d.Requests)
	}
	for first := 0; first < len(s.Documents); first += chunk {
		documents := s.Documents[first:min(first+chunk, len(s.Documents))]
		logs, err := m.likelihoods(ctx, documents)
		if err != nil {
			return r, fmt.Errorf("task %s: %w", s.Task, err)
		}
		for i, d := range documents {
			r.count(d, logs[i])
			if m.Scored != nil {
				m.Scored(first+i, logs[i])
			}
		}
	}
	return r, nil
}

func (r *Result) count(d Document, logs []float64) {
	normed := make([]float64, len(logs))
	for i, l := range logs {
		normed[i] = l / float64(d.Requests[i].Characters) // of an empty answer: minus infinity
	}
	right, rightNormed := most(logs) == d.Gold, most(normed) == d.Gold
	r.add(right, rightNormed, logs[d.Gold])
	if d.Subject == "" {
		return
	}
	if r.Subjects == nil {
		r.Subjects = make(map[string]Tally)
	}
	t := r.Subjects[d.Subject]
	t.add(right, rightNormed, logs[d.Gold])
	r.Subjects[d.Subject] = t
}

// most is the first of the largest.
func most(x []float64) (at int) {
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}

// asked is a request on its way: where its answer goes, and its tokens.
type asked struct {
	to    *float64
	place string
	sequence
}

// likelihoods computes those of each document's answers, in batches of similar lengths. Requests that differ
// in their last token stand together, so that an engine may compute them once.
func (m *Measurement) likelihoods(ctx context.Context, documents []Document) ([][]float64, error) {
	out := make([][]float64, len(documents))
	var all []asked
	for i, d := range documents {
		out[i] = make([]float64, len(d.Requests))
		for j, r := range d.Requests {
			q, err := m.Encoder.sequence(r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", d.Place, err)
			}
			all = append(all, asked{&out[i][j], d.Place, q})
		}
	}
	slices.SortStableFunc(all, func(a, b asked) int {
		if d := len(b.inputs) - len(a.inputs); d != 0 { // the longest first: what memory does not suffice for fails at once
			return d
		}
		return slices.Compare(a.inputs, b.inputs)
	})
	tokens := cmp.Or(m.Tokens, 8192)
	for len(all) > 0 {
		cols := len(all[0].inputs)
		rows := min(len(all), max(1, tokens/class(cols)))
		batch := engine.Batch{Rows: rows, Cols: cols, Inputs: make([]int32, rows*cols), Targets: make([]int32, rows*cols)}
		for i, q := range all[:rows] {
			q.fill(batch, i)
		}
		losses, err := m.Model.RowLosses(ctx, batch)
		if err != nil {
			return nil, err
		}
		for i, q := range all[:rows] {
			if *q.to = -losses[i].Sum; math.IsNaN(*q.to) || math.IsInf(*q.to, 0) {
				return nil, fmt.Errorf("%s: %w", q.place, ErrNotFinite)
			}
		}
		all = all[rows:]
		if m.done += rows; m.Progress != nil {
			m.Progress(m.done, m.of)
		}
	}
	return out, nil
}

// ErrNotFinite says that a model that has diverged was measured.
var ErrNotFinite = errors.New("the likelihood of an answer is not a number: the model has diverged")

// class is a power of two, so that batches have few shapes: engines on devices compile each.
func class(cols int) int {
	n := 16
	for n < cols {
		n *= 2
	}
	return n
}
