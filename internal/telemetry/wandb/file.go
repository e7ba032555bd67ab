package wandb

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// RunInfo describes a run.
type RunInfo struct {
	ID, Entity, Project, Group, JobType, Name, Host string
	Tags                                            []string
	Config                                          []Value
	Begin                                           time.Time
}

// file is a run's .wandb file. It is not for concurrent use, except that others may read the
// file up to a size that was seen.
type file struct {
	*os.File
	path    string
	size    int64
	records int64
	rows    int64
	last    int64 // step of the last row; -1 while there is none
	begin   time.Time
}

// runID returns the id of the run of a folder, which it keeps there; want, if it is set, is a new
// run's.
func runID(dir, want string) (string, error) {
	name := filepath.Join(dir, "run-id")
	b, err := os.ReadFile(name)
	switch id := strings.TrimSpace(string(b)); {
	case err == nil && id != "" && (want == "" || want == id):
		return id, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if want == "" {
		want = strings.ToLower(rand.Text()[:8])
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return want, os.WriteFile(name, []byte(want+"\n"), 0o600)
}

// openFile opens the file of a run in a folder, or makes it. What a crash left of a record is cut
// off; so is the record of an end, since the run goes on.
func openFile(dir string, info RunInfo) (*file, error) {
	old, err := filepath.Glob(filepath.Join(dir, "*run-*-"+info.ID, "run-"+info.ID+".wandb"))
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		slices.Sort(old)
		return reopen(old[len(old)-1])
	}
	folder := filepath.Join(dir, fmt.Sprintf("offline-run-%s-%s", info.Begin.UTC().Format("20060102_150405"), info.ID))
	if err := os.MkdirAll(filepath.Join(folder, "files"), 0o700); err != nil {
		return nil, err
	}
	f := &file{path: filepath.Join(folder, "run-"+info.ID+".wandb"), last: -1, begin: info.Begin}
	if f.File, err = os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if _, err = f.WriteAt([]byte(fileHeader), 0); err == nil {
		f.size = int64(len(fileHeader))
		err = errors.Join(f.add(fieldHeader, headerRecord(program)), f.add(fieldRun, info.record()))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.path))
	}
	return f, nil
}

func reopen(path string) (*file, error) {
	f := &file{path: path, last: -1}
	var err error
	if f.File, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	err = scan(f.File, 0, func(end int64, field protowire.Number, body []byte) bool {
		switch field {
		case fieldHistory:
			if _, step, ok := line(body); ok {
				f.last = step
			}
			f.rows++
		case fieldRun:
			f.begin = beginOf(body)
		case fieldExit:
			return false
		}
		f.records++
		f.size = end
		return true
	})
	if err == nil && f.size == 0 {
		err = fmt.Errorf("%s holds no run: move it away", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Truncate(f.size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// beginOf is when the run of a record began.
func beginOf(run []byte) (t time.Time) {
	fields(run, func(f protowire.Number, _ uint64, data []byte) {
		if f != 17 {
			return
		}
		var seconds, nanos int64
		fields(data, func(f protowire.Number, v uint64, _ []byte) {
			switch f {
			case 1:
				seconds = int64(v)
			case 2:
				nanos = int64(v)
			}
		})
		t = time.Unix(seconds, nanos)
	})
	return t
}

// scan calls visit with each whole record from an offset on, 0 for the first, and the offset after
// it, until visit returns false. What a crash left of a record is the end.
func scan(f io.ReaderAt, from int64, visit func(end int64, field protowire.Number, body []byte) bool) error {
	in := bufio.NewReaderSize(io.NewSectionReader(f, from, math.MaxInt64-from), 1<<18)
	r := &reader{from: in, at: from, whole: from}
	if from == 0 {
		var err error
		if r, err = newReader(in); err != nil {
			return err
		}
	}
	for {
		b, err := r.next()
		if err != nil {
			return nil
		}
		_, field, body, ok := unwrapped(b)
		if !ok || !visit(r.whole, field, body) {
			return nil
		}
	}
}

// add appends a record, in one write: a crash leaves all of it or a part that is cut off.
func (f *file) add(field protowire.Number, body message) error {
	b := frame(f.size, wrapped(f.records+1, field, body))
	if _, err := f.WriteAt(b, f.size); err != nil {
		return err
	}
	f.records++
	f.size += int64(len(b))
	return nil
}

// append adds a row, whose step must be greater than the last one's.
func (f *file) append(r Row) error {
	if err := f.add(fieldHistory, r.record()); err != nil {
		return err
	}
	f.rows++
	f.last = r.Step
	return nil
}
