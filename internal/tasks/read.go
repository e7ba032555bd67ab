package tasks

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"templar/internal/strictjson"
)

// reader reads the files of one task.
type reader struct {
	task     string
	shots    int
	examples map[string]string // worked ones, by subject
	digests  []byte            // of the files read
}

// find lists the files that a path stands for, and those of MMLU's worked examples.
func (r *reader) find(path string) (files, dev []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		for _, name := range []string{r.task + ".jsonl", r.task} {
			inner := filepath.Join(path, name)
			if _, err := os.Stat(inner); err == nil {
				return r.find(inner)
			}
		}
		if r.task != MMLU {
			return nil, nil, fmt.Errorf("%s holds no %s.jsonl", path, r.task)
		}
		if files, err = listed(path, "test"); err != nil {
			return nil, nil, err
		}
		if files == nil {
			return nil, nil, fmt.Errorf("%s holds neither %s.jsonl nor test/*_test.csv", path, r.task)
		}
		dev, err = listed(path, "dev")
		return files, dev, err
	}
	if r.shots > 0 {
		if name := devName(path); fileExists(name) {
			dev = []string{name}
		}
	}
	return []string{path}, dev, nil
}

// listed are the CSV files of a split, as MMLU's authors name them.
func listed(dir, split string) (files []string, err error) {
	files, err = filepath.Glob(filepath.Join(dir, split, "*_"+split+".csv"))
	if len(files) > maxFiles {
		return nil, fmt.Errorf("%s/%s holds more than %d files", dir, split, maxFiles)
	}
	return files, err
}

// devName is where the worked examples of a file or folder of MMLU are.
func devName(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() && !fileExists(filepath.Join(path, MMLU+".jsonl")) {
		return filepath.Join(path, "dev", "*_dev.csv")
	}
	ext := filepath.Ext(path)
	stem := strings.TrimSuffix(path, ext)
	if ext == ".csv" {
		return strings.TrimSuffix(stem, "_test") + "_dev.csv"
	}
	return stem + "_dev" + ext
}

func fileExists(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// each calls f for each row of a file: a line of JSON, or a record of CSV as a JSON list.
func (r *reader) each(name string, f func(place string, row []byte) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", name)
	case info.Size() > maxFile:
		return fmt.Errorf("%s: %d MiB, at most %d", name, info.Size()>>20, maxFile>>20)
	}
	hash := sha256.New()
	in := io.TeeReader(io.LimitReader(file, maxFile), hash)
	if filepath.Ext(name) == ".csv" && r.task == MMLU {
		err = eachRecord(name, in, f)
	} else {
		err = eachLine(name, in, f)
	}
	r.digests = hash.Sum(r.digests)
	return err
}

func eachLine(name string, in io.Reader, f func(place string, row []byte) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	n := 0
	for lines.Scan() {
		n++
		row := lines.Bytes()
		if n == 1 {
			row = bytes.TrimPrefix(row, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		place := fmt.Sprintf("%s:%d", name, n)
		if err := f(place, row); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: a line of more than %d KiB", name, n+1, maxLine>>10)
	}
	return lines.Err()
}

func eachRecord(name string, in io.Reader, f func(place string, row []byte) error) error {
	records := csv.NewReader(in)
	records.FieldsPerRecord = len(csvFields)
	for {
		record, err := records.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil { // it names the line; a record that is not there has no position to ask for
			return fmt.Errorf("%s: %w: want question, four choices and the letter of the right one", name, err)
		}
		line, _ := records.FieldPos(0)
		place := fmt.Sprintf("%s:%d", name, line)
		row, err := json.Marshal(record)
		if err == nil {
			err = f(place, row)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
}

// csvFields are those of MMLU's own files, which have no header.
var csvFields = []string{"question", "A", "B", "C", "D", "answer"}

// fieldError names a field.
func fieldError(name, format string, args ...any) error {
	return fmt.Errorf("field %q: %w", name, fmt.Errorf(format, args...))
}

// text is a string that must be there.
type text struct {
	value string
	there bool
}

// UnmarshalJSON reads a string.
func (t *text) UnmarshalJSON(b []byte) error {
	var s *string
	if err := strictjson.Unmarshal(b, &s); err != nil || s == nil {
		return errors.New("want a string")
	}
	t.value, t.there = *s, true
	return nil
}

// need returns the first of the fields that is missing.
func need(fields map[string]text) error {
	var missing []string
	for name, t := range fields {
		if !t.there {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return fieldError(slices.Min(missing), "missing")
	}
	return nil
}

// label is the number of an answer, which some exports write as a string.
type label struct {
	text  string
	there bool
}

// UnmarshalJSON reads a number or a string.
func (l *label) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		var n int64
		if err := json.Unmarshal(b, &n); err != nil {
			return errors.New("want a number or a string")
		}
		s = fmt.Sprint(n)
	}
	l.text, l.there = s, true
	return nil
}

func noAnswer(field string) error {
	return fieldError(field, "the document has no answer, as those of some test splits: use the validation split")
}

// index is the label as the place of one of n answers.
func (l label) index(field string, n int) (int, error) {
	if !l.there {
		return 0, fieldError(field, "missing")
	}
	if l.text == "" || l.text == "-1" {
		return 0, noAnswer(field)
	}
	for i := range n {
		if l.text == fmt.Sprint(i) {
			return i, nil
		}
	}
	return 0, fieldError(field, "%.40q is not one of 0 to %d", l.text, n-1)
}
