package data

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"templar/internal/strictjson"
)

// Kind is what a file holds, by its content: its name decides nothing.
type Kind struct {
	Form string // text, JSON lines, JSON array or parquet
	Pack string // gzip, zstd, xz or bzip2, empty for none
}

func (k Kind) String() string {
	if k.Pack == "" {
		return k.Form
	}
	return k.Form + " in " + k.Pack
}

const (
	formText    = "text"
	formLines   = "JSON lines"
	formArray   = "JSON array"
	formParquet = "parquet"
)

const (
	headBytes     = 64 << 10 // looked at to find out what a file is
	maxZstdWindow = 1 << 31  // bytes: what zstd --long=31 writes
)

// ErrUnread is wrapped when a file is of a kind that is not read.
var ErrUnread = errors.New("not a text file")

// foreign is kinds that are named, by how a file begins.
var foreign = []struct{ magic, name string }{
	{"PK\x03\x04", "a zip archive: unpack it"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"},
	{"Rar!\x1a\x07", "a rar archive: unpack it"},
	{"\x04\x22\x4d\x18", "lz4: unpack it"},
	{"\x1f\x9d", "packed by compress: unpack it"},
	{"\x5d\x00\x00", "lzma: unpack it"},
	{"\xff\x06\x00\x00sNaPpY", "framed snappy: unpack it"},
	{"ARROW1", "an Arrow file: convert it to parquet or JSON lines"},
	{"\xff\xff\xff\xff", "an Arrow stream: convert it to parquet or JSON lines"},
	{"PARE", "an encrypted parquet file"},
	{"Obj\x01", "an Avro file: convert it to parquet or JSON lines"},
	{"ORC", "an ORC file: convert it to parquet or JSON lines"},
	{"SQLite format 3\x00", "an SQLite database"},
	{"\x89HDF\r\n", "an HDF5 file"},
	{"\x93NUMPY", "a NumPy array"},
	{"\x80\x02", "a Python pickle"}, {"\x80\x03", "a Python pickle"}, {"\x80\x04\x95", "a Python pickle"}, {"\x80\x05\x95", "a Python pickle"},
	{"%PDF-", "a PDF document: extract its text"},
	{"\xff\xfe\x00\x00", "UTF-32 text: convert it to UTF-8"},
	{"\xff\xfe", "UTF-16 text: convert it to UTF-8"},
	{"\xfe\xff", "UTF-16 text: convert it to UTF-8"},
}

var packs = []struct{ magic, name string }{
	{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd7zXZ\x00", "xz"}, {"BZh", "bzip2"},
}

func packOf(head []byte) string {
	for _, p := range packs {
		if bytes.HasPrefix(head, []byte(p.magic)) {
			return p.name
		}
	}
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18" { // a frame to skip
		return "zstd"
	}
	return ""
}

// unpack reads what a packed file holds.
func unpack(r io.Reader, pack string) (io.Reader, func(), error) {
	switch pack {
	case "gzip":
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case "xz":
		z, err := xz.NewReader(bufio.NewReader(r))
		return z, func() {}, err
	case "bzip2":
		return bzip2.NewReader(r), func() {}, nil
	}
	return r, func() {}, nil
}

// kindOf looks into a file.
func kindOf(path string) (k Kind, err error) {
	f, err := os.Open(path)
	if err != nil {
		return k, err
	}
	defer f.Close()
	head, _, err := readHead(f)
	if err != nil {
		return k, err
	}
	whole := len(head) < headBytes
	if k.Pack = packOf(head); k.Pack != "" {
		if head, whole, err = unpackHead(f, k.Pack); err != nil {
			return k, fmt.Errorf("%w: damaged %s: %w", ErrUnread, k.Pack, err)
		}
	}
	k.Form, err = formOf(head, whole, k.Pack, nameWithoutPack(path))
	return k, err
}

func readHead(r io.Reader) (head []byte, whole bool, err error) {
	head, err = io.ReadAll(io.LimitReader(r, headBytes))
	return head, len(head) < headBytes, err
}

func unpackHead(f *os.File, pack string) ([]byte, bool, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, false, err
	}
	r, release, err := unpack(f, pack)
	if err != nil {
		return nil, false, err
	}
	defer release()
	return readHead(r)
}

// nameWithoutPack is the extension under that of the packing.
func nameWithoutPack(path string) string {
	name := strings.ToLower(path)
	for _, ext := range []string{".gz", ".zst", ".xz", ".bz2"} {
		name = strings.TrimSuffix(name, ext)
	}
	return filepath.Ext(name)
}

// formOf tells what begins with head. Where the content leaves it open, a name that
// promises rows is held to it.
func formOf(head []byte, whole bool, pack, ext string) (string, error) {
	unread := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("%w: %s", ErrUnread, fmt.Sprintf(format, args...))
	}
	if strictjson.IsLFS(head) {
		return "", fmt.Errorf("%w: %w", ErrUnread, strictjson.ErrLFS)
	}
	if bytes.HasPrefix(head, []byte("PAR1")) {
		if pack != "" {
			return unread("parquet in %s: unpack it", pack)
		}
		return formParquet, nil
	}
	if pack != "" && packOf(head) != "" {
		return unread("%s in %s: unpack it", packOf(head), pack)
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return unread("%s", f.name)
		}
	}
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return unread("a tar archive: unpack it")
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return unread("binary data, or text that is not UTF-8")
	}
	if at := invalidUTF8(head, whole); at >= 0 {
		return unread("no UTF-8 at byte %d (%#02x): convert it to UTF-8", at, head[at])
	}
	if ext == ".parquet" {
		return unread("named .parquet, but it does not begin as one")
	}
	switch text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n"); {
	case isObject(text) || ext == ".jsonl" || ext == ".ndjson":
		return formLines, nil
	case bytes.HasPrefix(text, []byte("[")) && bytes.HasPrefix(bytes.TrimLeft(text[1:], " \t\r\n"), []byte(`{`)) && ext == ".json":
		return formArray, nil
	}
	return formText, nil
}

const bom = "\xef\xbb\xbf"

// isObject tells whether the first line is a JSON object, as far as it is there.
func isObject(text []byte) bool {
	line, _, ended := bytes.Cut(text, []byte("\n"))
	var object map[string]any
	if strictjson.Unmarshal(line, &object) == nil && object != nil {
		return true
	}
	return !ended && len(line) > headBytes/2 && bytes.HasPrefix(line, []byte(`{"`))
}

// invalidUTF8 is where text stops to be UTF-8, -1 for nowhere; the last character of a
// head may be cut.
func invalidUTF8(text []byte, whole bool) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 && (whole || utf8.FullRune(text[i:])) {
			return i
		}
		i += n
	}
	return -1
}
