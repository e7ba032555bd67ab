package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

const (
	pieceOfText = 32 << 10 // a text file is cut into documents of about so much
	maxLine     = 64 << 20 // of a file of JSON lines
)

// Input is a file to read documents from, by its extension: .jsonl and .ndjson hold an
// object a line, .parquet rows; their documents are the field, or column, "text". Any
// other file is text, cut into documents at line ends.
type Input struct {
	Path string
	Size int64
	time int64
}

// Inputs lists files in the order given, those of directories in the order of their
// paths. Hidden files, and of a directory binary ones, are left out; symbolic links in
// a directory are not followed.
func Inputs(paths []string) ([]Input, error) {
	var out []Input
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case path == root && e.Type()&fs.ModeSymlink != 0: // named by the caller: meant
			case path != root && strings.HasPrefix(e.Name(), "."):
				if e.IsDir() {
					return filepath.SkipDir
				}
				return nil
			case !e.Type().IsRegular():
				return nil
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if info.IsDir() {
				return fmt.Errorf("%s: a symbolic link to a directory: name the directory", path)
			}
			if path != root && isText(path) {
				if binary, err := isBinary(path); err != nil || binary {
					return err
				}
			}
			out = append(out, Input{Path: path, Size: info.Size(), time: info.ModTime().UnixNano()})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("inputs: %w", err)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("inputs: no file under %s", strings.Join(paths, ", "))
	}
	return out, nil
}

func isText(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson", ".parquet":
		return false
	}
	return true
}

func isBinary(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 8192))
	return bytes.IndexByte(head, 0) >= 0, err
}

// document is a text and whether the next one belongs to it.
type document struct {
	text      []byte
	continued bool
}

// documents yields a file's documents. An error ends it.
func (in Input) documents() iter.Seq2[document, error] {
	read := readText
	switch strings.ToLower(filepath.Ext(in.Path)) {
	case ".jsonl", ".ndjson":
		read = readLines
	case ".parquet":
		read = readParquet
	}
	return func(yield func(document, error) bool) {
		f, err := os.Open(in.Path)
		if err == nil {
			defer f.Close()
			err = read(f, func(d document) bool { return yield(d, nil) })
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(document{}, fmt.Errorf("%s: %w", in.Path, err))
		}
	}
}

// errStopped ends a reader whose documents are not wanted any more.
var errStopped = errors.New("stopped")

func readText(f *os.File, yield func(document) bool) error {
	r := bufio.NewReaderSize(f, 2*pieceOfText)
	for {
		next, err := r.Peek(2 * pieceOfText)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		if len(next) == 0 {
			return nil
		}
		n := len(next)
		if !last || n > pieceOfText {
			last = false
			n = lineEnd(next, min(n, pieceOfText), pieceOfText/2)
		}
		if !yield(document{text: bytes.Clone(next[:n]), continued: !last}) {
			return errStopped
		}
		if _, err := r.Discard(n); err != nil {
			return err
		}
	}
}

func readLines(f *os.File, yield func(document) bool) error {
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLine)
	for line := 1; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var row struct {
			Text *string `json:"text"`
		}
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if row.Text == nil {
			return fmt.Errorf(`line %d has no field "text"`, line)
		}
		if !yield(document{text: []byte(*row.Text)}) {
			return errStopped
		}
	}
	return s.Err()
}
