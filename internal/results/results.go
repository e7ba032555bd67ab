// Package results defines what an evaluator publishes: one signed document for each state that it measured, in
// its bucket. docs/spec/results.md is the specification.
//
// A document is a claim of its signer. Any node that has the state and the tasks' files can measure again and
// compare (Compare): the counts are equal where the engines are, and nearly so elsewhere.
package results

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"templar/internal/score"
	"templar/internal/tasks"
	"templar/internal/versioned"
	"templar/protocol"
	"templar/wire"
)

const (
	// Version is the version of a document's form.
	Version = 1
	// Domain is what a document is signed under.
	Domain = "evaluation"
	// MaxSize bounds a document, in bytes.
	MaxSize = 128 << 10
)

// Bounds on what a document from another node may hold.
const (
	maxTasks    = 64
	maxSubjects = 256
	maxText     = 64      // bytes of a name
	maxCount    = 1 << 40 // documents, tokens, bytes
)

// Record is an evaluator's account of one state of the model.
type Record struct {
	Version int             `json:"version"`
	Run     protocol.Hash   `json:"run"`
	Start   protocol.Window `json:"start_window"`
	// Window is the last one whose Aggregate is in the state; theta_0 has the window before the start.
	Window protocol.Window `json:"window"`
	State  protocol.Hash   `json:"state_hash"`
	// Engine is the platform and the precision of matrix products, as "cpu float32". Empty: not said.
	Engine string `json:"engine,omitempty"`
	// Tokenizer identifies the one that the tasks were encoded with. Empty: no tasks.
	Tokenizer string  `json:"tokenizer,omitempty"`
	HeldOut   HeldOut `json:"held_out"`
	Tasks     []Task  `json:"tasks,omitempty"` // ascending by name
}

// HeldOut is the loss on the dataset's held-out text.
type HeldOut struct {
	Loss   score.Number `json:"loss"`            // nats a token, mean
	Tokens int64        `json:"tokens"`          // predicted
	Bytes  int64        `json:"bytes,omitempty"` // of the text that they stand for; 0: not known
}

// Task is the result of a multiple-choice task.
type Task struct {
	Name  string        `json:"name"`
	Files protocol.Hash `json:"files_hash"` // of the documents: package tasks
	Shots int           `json:"shots"`      // worked examples before each question
	Limit int           `json:"limit"`      // documents of each subject that were asked for; 0: all
	Tally
	Subjects []Subject `json:"subjects,omitempty"` // ascending by name
}

// Subject is a part of a task.
type Subject struct {
	Name string `json:"name"`
	Tally
}

// Tally counts right answers.
type Tally struct {
	Documents int64 `json:"documents"`
	Correct   int64 `json:"correct"`
	Normed    int64 `json:"correct_normed"` // by the likelihood of a character
	// LogLikelihood is that of the right answers, mean: nats.
	LogLikelihood score.Number `json:"log_likelihood"`
}

// Encode signs a record.
func (r *Record) Encode(s protocol.Signer) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return wire.SealWithin(MaxSize, Domain, r, s)
}

// Decode reads a record and returns its signer. The caller checks that it is the requested one.
func Decode(b []byte) (*Record, protocol.Hotkey, error) {
	r := &Record{}
	by, err := wire.OpenWithin(MaxSize, Domain, b, r)
	if err != nil {
		return nil, protocol.Hotkey{}, err
	}
	return r, by, nil
}

var file = versioned.File{Name: "the record of results", Version: Version, Least: Version, Remedy: "read it with the release that wrote it, or measure again"}

// CheckVersion refuses another version before its content is read.
func (r *Record) CheckVersion(raw []byte) error { return file.CheckJSON(raw) }

// Validate refuses records that no evaluator could have written, and names with control characters.
func (r *Record) Validate() error {
	switch {
	case r.Version != Version:
		return file.Check(r.Version)
	case r.Window+1 < r.Start:
		return fmt.Errorf("results: window %d is before theta_0's, %d", r.Window, r.Start-1)
	case !plain(r.Engine) || !plain(r.Tokenizer):
		return fmt.Errorf("results: the engine's or the tokenizer's name is longer than %d bytes, or not plain text", maxText)
	case r.HeldOut.Tokens < 0 || r.HeldOut.Tokens > maxCount || r.HeldOut.Bytes < 0 || r.HeldOut.Bytes > maxCount:
		return errors.New("results: the held-out text's size is out of range")
	case len(r.Tasks) > maxTasks:
		return fmt.Errorf("results: %d tasks, at most %d", len(r.Tasks), maxTasks)
	}
	for i, t := range r.Tasks {
		if t.Name == "" || !plain(t.Name) || (i > 0 && t.Name <= r.Tasks[i-1].Name) {
			return errors.New("results: tasks' names must be plain text and ascend")
		}
		if err := t.validate(); err != nil {
			return fmt.Errorf("results: task %s: %w", t.Name, err)
		}
	}
	return nil
}

func (t *Task) validate() error {
	switch {
	case t.Shots < 0 || t.Shots > 1<<10 || t.Limit < 0 || t.Limit > math.MaxInt32:
		return errors.New("shots or limit out of range")
	case len(t.Subjects) > maxSubjects:
		return fmt.Errorf("%d subjects, at most %d", len(t.Subjects), maxSubjects)
	}
	if err := t.Tally.validate(); err != nil {
		return err
	}
	var sum Tally
	for i, s := range t.Subjects {
		if s.Name == "" || !plain(s.Name) || (i > 0 && s.Name <= t.Subjects[i-1].Name) {
			return errors.New("subjects' names must be plain text and ascend")
		}
		if err := s.Tally.validate(); err != nil {
			return fmt.Errorf("subject %s: %w", s.Name, err)
		}
		sum.Documents += s.Documents
		sum.Correct += s.Correct
		sum.Normed += s.Normed
	}
	if t.Subjects != nil && (sum.Documents != t.Documents || sum.Correct != t.Correct || sum.Normed != t.Normed) {
		return errors.New("its subjects do not add up")
	}
	return nil
}

func (t *Tally) validate() error {
	if t.Documents < 1 || t.Documents > maxCount || t.Correct < 0 || t.Correct > t.Documents || t.Normed < 0 || t.Normed > t.Documents {
		return errors.New("counts out of range")
	}
	return nil
}

// plain reports whether text is short, and of printable ASCII.
func plain(text string) bool {
	return len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// Task finds a task by its name.
func (r *Record) Task(name string) (t Task, ok bool) {
	i, ok := slices.BinarySearchFunc(r.Tasks, name, func(t Task, name string) int { return strings.Compare(t.Name, name) })
	if ok {
		t = r.Tasks[i]
	}
	return t, ok
}

// Scores are the accuracies with their standard errors.
func (t *Task) Scores() (acc, normed tasks.Score) {
	r := tasks.Result{Task: t.Name, Tally: t.Tally.counts()}
	for _, s := range t.Subjects {
		if r.Subjects == nil {
			r.Subjects = make(map[string]tasks.Tally, len(t.Subjects))
		}
		r.Subjects[s.Name] = s.Tally.counts()
	}
	return r.Accuracy(), r.NormedAccuracy()
}

func (t Tally) counts() tasks.Tally {
	return tasks.Tally{Documents: int(t.Documents), Correct: int(t.Correct), Normed: int(t.Normed), LogLikelihood: float64(t.LogLikelihood) * float64(t.Documents)}
}

// Same reports whether two results are of the same documents and prompts.
func (t *Task) Same(o Task) bool {
	return t.Name == o.Name && t.Files == o.Files && t.Shots == o.Shots && t.Limit == o.Limit
}

// Tolerances of Compare, in relative terms: of engines of one kind, and of different kinds, whose matrix products
// may have other precisions.
const (
	sameKind  = 1e-3
	otherKind = 2e-2
)

// Compare returns what two records of one state contradict each other in, for people. It is empty where they agree, and
// where they have nothing in common.
func Compare(a, b *Record) (differences []string) {
	if a.Run != b.Run || a.Window != b.Window {
		return nil
	}
	if a.State != b.State {
		return []string{fmt.Sprintf("state %s here, %s there", a.State.Short(), b.State.Short())}
	}
	tolerance := sameKind
	if a.Engine != b.Engine {
		tolerance = otherKind
	}
	differ := func(what string, x, y, tolerance float64) {
		if d := math.Abs(x - y); !(d <= tolerance*max(math.Abs(x), math.Abs(y))) && !(math.IsNaN(x) && math.IsNaN(y)) {
			differences = append(differences, fmt.Sprintf("%s %.6g here, %.6g there", what, x, y))
		}
	}
	if a.HeldOut.Tokens == b.HeldOut.Tokens { // else they measured other batches
		differ("held-out loss", float64(a.HeldOut.Loss), float64(b.HeldOut.Loss), tolerance)
	}
	for _, t := range a.Tasks {
		o, ok := b.Task(t.Name)
		if !ok || !t.Same(o) || a.Tokenizer != b.Tokenizer {
			continue
		}
		differ(t.Name+": documents", float64(t.Documents), float64(o.Documents), 0)
		differ(t.Name+": log-likelihood", float64(t.LogLikelihood), float64(o.LogLikelihood), tolerance)
		// Where two answers are about as likely, rounding decides: a few documents in a thousand.
		slack := max(1, tolerance*float64(t.Documents))
		for _, count := range []struct {
			what string
			x, y int64
		}{{"correct", t.Correct, o.Correct}, {"correct by the character", t.Normed, o.Normed}} {
			if math.Abs(float64(count.x-count.y)) > slack {
				differences = append(differences, fmt.Sprintf("%s: %d %s here, %d there", t.Name, count.x, count.what, count.y))
			}
		}
	}
	return differences
}
