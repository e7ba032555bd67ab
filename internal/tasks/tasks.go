// Package tasks measures a model on multiple-choice tasks: for each document, which of its answers
// the model finds most likely. HellaSwag, PIQA, ARC, OpenBookQA, WinoGrande and MMLU are read
// from local files as their datasets publish them, with the prompts and rules of lm-evaluation-harness,
// and give the same numbers (testkit/tasks).
//
//	set, err := tasks.Open("hellaswag", "hellaswag_val.jsonl", tasks.Options{})
//	result, err := set.Measure(ctx, tasks.Measurement{Model: engine, Encoder: encoder})
package tasks

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"templar/protocol"
)

// The tasks.
const (
	HellaSwag    = "hellaswag"
	PIQA         = "piqa"
	ARCEasy      = "arc_easy"
	ARCChallenge = "arc_challenge"
	OpenBookQA   = "openbookqa"
	WinoGrande   = "winogrande"
	MMLU         = "mmlu"
)

// Names are those of all tasks, as lm-evaluation-harness has them.
func Names() []string {
	return []string{ARCChallenge, ARCEasy, HellaSwag, MMLU, OpenBookQA, PIQA, WinoGrande}
}

// Options choose what of the files is used.
type Options struct {
	// Limit is how many documents are used, the first ones, of MMLU for each subject; 0: all.
	Limit int
	// MMLUShots is how many worked examples stand before a question of MMLU, 0 to 5. The other
	// tasks have none.
	MMLUShots int
}

// Set is the documents of one task.
type Set struct {
	Task string
	// Hash identifies the contents: SHA-256 over the files' digests, in the order of their names.
	Hash protocol.Hash
	// Shots is how many worked examples stand before each question.
	Shots int
	// Limit is Options.Limit.
	Limit int
	// Total is the number of documents in the files: more than there are here under a limit.
	Total     int
	Documents []Document
}

// Document is one question with its answers.
type Document struct {
	Place    string // file:line, for errors
	Subject  string // of MMLU
	Gold     int    // the right answer
	Requests []Request
}

// Request asks for the likelihood of one answer.
type Request struct {
	Context, Continuation string
	// Characters is the length of the answer, by which acc_norm divides.
	Characters int
}

// Normed reports whether a task has acc_norm: in WinoGrande the answers stand in the context, and
// MMLU's are letters.
func Normed(task string) bool { return task != WinoGrande && task != MMLU }

// Bounds on files, which may come from anywhere.
const (
	maxFile      = 256 << 20
	maxLine      = 1 << 20
	maxChoices   = 32
	maxShots     = 5 // MMLU's dev split has so many a subject
	maxDocuments = 1 << 20
	maxFiles     = 4096 // of a folder
)

// Open reads a task's documents from a file, or from a folder: of MMLU the one that its authors
// publish, with test/*_test.csv and dev/*_dev.csv, of any task one that holds TASK.jsonl.
func Open(task, path string, o Options) (*Set, error) {
	if !slices.Contains(Names(), task) {
		return nil, fmt.Errorf("task %q is unknown: this version has %s", task, strings.Join(Names(), ", "))
	}
	if o.Limit < 0 || o.MMLUShots < 0 || o.MMLUShots > maxShots {
		return nil, fmt.Errorf("task %s: limit %d and %d shots: want a limit from 0 on and 0 to %d shots", task, o.Limit, o.MMLUShots, maxShots)
	}
	r := reader{task: task}
	if task == MMLU {
		r.shots = o.MMLUShots
	}
	files, dev, err := r.find(path)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", task, err)
	}
	if r.shots > 0 {
		if len(dev) == 0 {
			return nil, fmt.Errorf("task %s: %d shots need worked examples: put them into %s", task, r.shots, devName(path))
		}
		if r.examples, err = r.worked(dev); err != nil {
			return nil, fmt.Errorf("task %s: %w", task, err)
		}
	}
	s := &Set{Task: task, Shots: r.shots, Limit: o.Limit}
	used := make(map[string]int) // by subject
	for _, f := range files {
		err := r.each(f, func(place string, row []byte) error {
			d, err := r.document(f, row)
			if err != nil {
				return err
			}
			if s.Total++; s.Total > maxDocuments {
				return fmt.Errorf("more than %d documents", maxDocuments)
			}
			if used[d.Subject]++; o.Limit == 0 || used[d.Subject] <= o.Limit {
				d.Place = place
				s.Documents = append(s.Documents, d)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", task, err)
		}
	}
	if len(s.Documents) == 0 {
		return nil, fmt.Errorf("task %s: %s has no document", task, path)
	}
	s.Hash = sha256.Sum256(r.digests)
	return s, nil
}

// OpenAll opens the tasks of a list as users write it: NAME=PATH with commas between, or a folder, of which
// every task is opened whose file it holds.
func OpenAll(list string, o Options) ([]*Set, error) {
	var out []*Set
	seen := make(map[string]bool)
	add := func(task, path string) error {
		if seen[task] {
			return fmt.Errorf("task %s is named twice", task)
		}
		seen[task] = true
		s, err := Open(task, path, o)
		if err == nil {
			out = append(out, s)
		}
		return err
	}
	for item := range strings.SplitSeq(list, ",") {
		name, path, named := strings.Cut(strings.TrimSpace(item), "=")
		if named {
			if err := add(name, path); err != nil {
				return nil, err
			}
			continue
		}
		found, err := inFolder(name)
		if err != nil {
			return nil, err
		}
		for _, task := range found {
			if err := add(task, name); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// inFolder lists the tasks whose files a folder holds.
func inFolder(dir string) (found []string, err error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("tasks: %w: want NAME=FILE or a folder", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("tasks: %s is not a folder: write NAME=%s, where NAME is one of %s", dir, dir, strings.Join(Names(), ", "))
	}
	for _, task := range Names() {
		for _, name := range []string{task + ".jsonl", task} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				found = append(found, task)
				break
			}
		}
	}
	if found == nil {
		return nil, fmt.Errorf("tasks: %s holds none of %s", dir, strings.Join(Names(), ".jsonl, ")+".jsonl")
	}
	return found, nil
}
