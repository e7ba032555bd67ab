// Package vectors checks this build against test vectors: JSON files of inputs and of
// the outputs of another implementation. The keys of a file identify its form.
package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Tolerances: relative to a tensor's largest value, and absolute for the rules.
const (
	tensorTolerance = 2e-5
	ruleTolerance   = 1e-9
)

// maxFile bounds what is read into memory.
const maxFile = 1 << 30

// Case is one vector's outcome.
type Case struct {
	File      string  `json:"file"`
	Form      string  `json:"form"`
	Case      string  `json:"case"`
	Error     float64 `json:"error"` // the largest
	Tolerance float64 `json:"tolerance"`
	OK        bool    `json:"ok"`
	Fault     string  `json:"fault,omitempty"` // what differs beyond tolerance
}

// within makes the outcome of a case from its largest error.
func within(name string, largest, tolerance float64) Case {
	c := Case{Case: name, Error: largest, Tolerance: tolerance, OK: largest <= tolerance}
	if !c.OK { // NaN is not within anything
		c.Error, c.Fault = min(largest, math.MaxFloat64), "beyond the tolerance"
		if math.IsNaN(largest) {
			c.Error, c.Fault = math.MaxFloat64, "not a number"
		}
	}
	return c
}

func failed(name string, err error) Case { return Case{Case: name, Fault: err.Error()} }

// form is one kind of file.
type form struct {
	name   string
	key    string // that only files of the form have, at the top or in their first element
	verify func([]byte) ([]Case, error)
}

var forms = [...]form{
	{"dct_topk", "coefficients", verifyDCT},
	{"aggregate", "mean_gradient", verifyAggregate},
	{"plackett_luce", "rounds", verifyRatings},
	{"lr_schedule", "lr_at_step", verifySchedule},
	{"yuma", "epochs", verifyYuma},
	{"wire", "cases", verifyWire},
}

// ErrUnknown is a file of no known form.
var ErrUnknown = errors.New("no known form of test vectors")

// Verify checks a file, or every .json and .jsonl file under a folder. The error is for what cannot
// be read; what differs is in the cases.
func Verify(path string) (cases []Case, err error) {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = filesOf(path); err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s: no .json file: %w", path, fs.ErrNotExist)
		}
	}
	for _, file := range files {
		found, err := verifyFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		cases = append(cases, found...)
	}
	return cases, nil
}

// filesOf lists the vectors under a folder.
func filesOf(path string) (files []string, err error) {
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(file); err == nil && !d.IsDir() && (ext == ".json" || ext == ".jsonl") {
			files = append(files, file)
		}
		return err
	})
	return files, err
}

func verifyFile(file string) ([]Case, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes, at most %d", info.Size(), maxFile)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cases, name, known, err := verifySubtensor(file, b)
	if !known {
		var f form
		if f, err = formOf(b); err != nil {
			return nil, err
		}
		name = f.name
		cases, err = f.verify(b)
	}
	if err == nil && len(cases) == 0 {
		err = errors.New("no cases")
	}
	for i := range cases {
		cases[i].File, cases[i].Form = filepath.Base(file), name
	}
	return cases, err
}

func formOf(b []byte) (form, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		var list []map[string]json.RawMessage
		if json.Unmarshal(b, &list) != nil || len(list) == 0 {
			return form{}, ErrUnknown
		}
		keys = list[0]
	}
	for _, f := range forms {
		if keys[f.key] != nil {
			return f, nil
		}
	}
	if chunkSplit(b) {
		return form{"chunk_split", "", verifyChunkSplit}, nil
	}
	return form{}, ErrUnknown
}

// largestError is the largest difference, relative to the largest value of want.
func largestError(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.NaN()
	}
	largest, worst := magnitude(want), 0.0
	for i := range want {
		difference := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(difference) {
			return difference
		}
		worst = max(worst, difference)
	}
	if worst == 0 {
		return 0
	}
	return worst / largest
}

func magnitude(x []float32) float64 {
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(float64(v)))
	}
	return largest
}

// equal makes the outcome of a comparison without tolerance: how many differ.
func equal[T comparable](name string, got, want []T) Case {
	c := within(name, 0, 0)
	if !slices.Equal(got, want) {
		c = within(name, float64(differing(got, want)), 0)
		c.Fault = fmt.Sprintf("%g of %d differ", c.Error, len(want))
	}
	return c
}

func differing[T comparable](got, want []T) (n int) {
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			n++
		}
	}
	return n + max(len(got)-len(want), 0)
}
