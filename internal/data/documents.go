package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"templar/internal/strictjson"
)

const (
	pieceOfText = 32 << 10 // a text file is cut into documents of about so much
	maxLine     = 64 << 20 // of a file of JSON lines
)

// Input is a file to read documents from. JSON lines and arrays, and parquet, give their
// field, or column, "text"; any other text is cut into documents at line ends.
type Input struct {
	Path string
	Size int64
	Kind Kind
	time int64
}

// Left is a file that is not read, and why.
type Left struct {
	Path   string
	Reason error
}

func (l Left) String() string { return l.Path + ": " + l.Reason.Error() }

// Inputs lists files in the order given, those of directories in the order of their
// paths. A file that is named and cannot be read is an error; of a directory, it is among
// those left out. Hidden files are passed over.
func Inputs(paths []string) (out []Input, left []Left, err error) {
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
			case e.IsDir():
				return nil
			case !e.Type().IsRegular():
				left = append(left, Left{path, errors.New("a symbolic link or special file: name it to have it read")})
				return nil
			}
			in, err := newInput(path)
			if errors.Is(err, ErrUnread) && path != root {
				left = append(left, Left{path, err})
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			out = append(out, in)
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("inputs: %w", err)
		}
	}
	if len(out) == 0 {
		err = fmt.Errorf("inputs: no file to read under %s", strings.Join(paths, ", "))
		if len(left) > 0 {
			err = fmt.Errorf("%w: %d left out, first %s", err, len(left), left[0])
		}
		return nil, nil, err
	}
	return out, left, nil
}

func newInput(path string) (in Input, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return in, err
	}
	if info.IsDir() {
		return in, errors.New("a symbolic link to a directory: name the directory")
	}
	in = Input{Path: path, Size: info.Size(), time: info.ModTime().UnixNano()}
	in.Kind, err = kindOf(path)
	return in, err
}

// document is a text and whether the next one belongs to it.
type document struct {
	text      []byte
	continued bool
	skip      string // why it is left out
}

// documents yields a file's documents. An error ends it.
func (in Input) documents() iter.Seq2[document, error] {
	return func(yield func(document, error) bool) {
		err := in.read(func(d document) bool { return yield(d, nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(document{}, fmt.Errorf("%s: %w", in.Path, err))
		}
	}
}

func (in Input) read(yield func(document) bool) error {
	f, err := os.Open(in.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if in.Kind.Form == formParquet {
		return readParquet(f, yield)
	}
	return in.Kind.read(f, yield)
}

// read yields the documents of a stream that is no parquet.
func (k Kind) read(r io.Reader, yield func(document) bool) error {
	r, release, err := unpack(r, k.Pack)
	if err != nil {
		return err
	}
	defer release()
	b := bufio.NewReaderSize(r, 2*pieceOfText)
	if head, _ := b.Peek(len(bom)); string(head) == bom {
		_, _ = b.Discard(len(bom)) // it was peeked at
	}
	switch k.Form {
	case formLines:
		return readLines(b, yield)
	case formArray:
		return readArray(b, yield)
	}
	return readText(b, yield)
}

// errStopped ends a reader whose documents are not wanted any more.
var errStopped = errors.New("stopped")

// Reasons why a document is left out.
const (
	skipNull    = `"text" is null`
	skipInvalid = "not UTF-8"
)

func readText(r *bufio.Reader, yield func(document) bool) error {
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
			n = runeEnd(next, lineEnd(next, min(n, pieceOfText), pieceOfText/2))
		}
		d := document{text: bytes.Clone(next[:n]), continued: !last}
		if !utf8.Valid(d.text) {
			d.skip = skipInvalid
		}
		if !yield(d) {
			return errStopped
		}
		if _, err := r.Discard(n); err != nil {
			return err
		}
	}
}

// runeEnd moves a cut before the character that it would split.
func runeEnd(text []byte, at int) int {
	for i := at; i > 0 && at-i < utf8.UTFMax; i-- {
		if i == len(text) || utf8.RuneStart(text[i]) {
			return i
		}
	}
	return at
}

// row is an object of JSON.
type row struct {
	Text jsontext.Value `json:"text"`
}

// document is the row's text.
func (r row) document() (d document, err error) {
	switch {
	case r.Text == nil:
		return d, errors.New(`no field "text"`)
	case string(r.Text) == "null":
		return document{skip: skipNull}, nil
	}
	var text string
	if err := strictjson.Unmarshal(r.Text, &text); err != nil {
		return d, fmt.Errorf(`field "text": %w`, err)
	}
	return document{text: []byte(text)}, nil
}

func readLines(r *bufio.Reader, yield func(document) bool) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	line := 1
	for ; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		d, err := parseRow(s.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if !yield(d) {
			return errStopped
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d MiB", line, maxLine>>20)
	}
	return s.Err()
}

func parseRow(line []byte) (document, error) {
	var r row
	if err := strictjson.Unmarshal(line, &r); err != nil {
		return document{}, err
	}
	return r.document()
}

// bounded reads so many bytes: a packed file can hold an element of any length.
type bounded struct {
	r    io.Reader
	left int
}

var errTooLong = errors.New("too long")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// readArray reads the objects of one array, one at a time.
func readArray(r *bufio.Reader, yield func(document) bool) error {
	b := &bounded{r: r, left: maxLine}
	dec := jsontext.NewDecoder(b)
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; dec.PeekKind() != ']'; i++ {
		value, err := dec.ReadValue()
		b.left = maxLine // for the next; what the decoder has read ahead is less than it held
		if errors.Is(err, errTooLong) {
			return fmt.Errorf("element %d is longer than %d MiB", i, maxLine>>20)
		}
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		d, err := parseRow(value)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		if !yield(d) {
			return errStopped
		}
	}
	return nil
}
