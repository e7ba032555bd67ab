package data

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/ulikunitz/xz"
)

// packed packs b.
func packed(t *testing.T, pack string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch pack {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	}
	if err == nil {
		_, err = w.Write(b)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bzip2Row is {"text": "one"} and a line end, packed by Python's bz2.
const bzip2Row = "QlpoOTFBWSZTWQYpkAgAAAdZgAAQUAAAEAIBhEogADEA000EA0aaKza3SOpQFPi7kinChIAxTIBA"

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func textsOf(in Input) (out []string, err error) {
	for d, e := range in.documents() {
		if e != nil {
			return out, e
		}
		if d.skip != "" {
			out = append(out, "skipped: "+d.skip)
			continue
		}
		out = append(out, string(d.text))
	}
	return out, nil
}

// A file's content says what it is, whatever its name.
func TestKindsByContent(t *testing.T) {
	rows := []byte("{\"text\": \"one\", \"Text\": \"no\"}\r\n\n{\"score\": NaN, \"text\": \"two\"}\n{\"text\": null}\n")
	var table bytes.Buffer
	if err := parquet.Write(&table, []struct {
		Text string `parquet:"text"`
	}{{"one"}, {"two"}}); err != nil {
		t.Fatal(err)
	}
	lines, null := []string{"one", "two", `skipped: "text" is null`}, "\x00"
	for name, c := range map[string]struct {
		content []byte
		kind    string
		want    []string
	}{
		"a.txt":       {rows, "JSON lines", lines},
		"b.json":      {append([]byte(bom), rows...), "JSON lines", lines},
		"c.gz":        {packed(t, "gzip", rows), "JSON lines in gzip", lines},
		"d.jsonl":     {packed(t, "zstd", rows), "JSON lines in zstd", lines},
		"e.jsonl.xz":  {packed(t, "xz", rows), "JSON lines in xz", lines},
		"f.txt":       {packed(t, "xz", []byte("plain\n")), "text in xz", []string{"plain\n"}},
		"g.gz":        {append(packed(t, "gzip", []byte("one\n")), packed(t, "gzip", []byte("two\n"))...), "text in gzip", []string{"one\ntwo\n"}},
		"h.data":      {table.Bytes(), "parquet", []string{"one", "two"}},
		"i.json":      {[]byte("[{\"text\": \"one\"},\n {\"text\": null}]"), "JSON array", []string{"one", `skipped: "text" is null`}},
		"j.txt":       {[]byte(bom + "marked\n"), "text", []string{"marked\n"}},
		"k.json":      {[]byte("{\n \"name\": \"x\"\n}\n"), "text", []string{"{\n \"name\": \"x\"\n}\n"}},
		"l.parquet":   {[]byte("no"), "named .parquet", nil},
		"m.txt":       {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"), "git lfs pull", nil},
		"n.txt":       {[]byte("\xff\xfea" + null), "UTF-16", nil},
		"o.txt":       {[]byte("caf\xe9\n"), "byte 3", nil},
		"p.jsonl":     {[]byte("PK\x03\x04rest"), "zip", nil},
		"q.arrow":     {[]byte("ARROW1" + null), "Arrow", nil},
		"r.gz":        {packed(t, "gzip", table.Bytes()), "parquet in gzip", nil},
		"s.gz":        {packed(t, "gzip", packed(t, "gzip", rows)), "gzip in gzip", nil},
		"t.gz":        {packed(t, "gzip", []byte("a"))[:12], "damaged gzip", nil},
		"u.txt":       {append(make([]byte, 257), "ustar"+null+"0000"...), "tar", nil},
		"v.bin":       {[]byte("a" + null), "binary", nil},
		"w.txt.bz2":   {decode64(t, bzip2Row), "JSON lines in bzip2", []string{"one"}},
		"x.jsonl":     {[]byte("TEXT\n"), "line 1", nil},
		"y.jsonl":     {[]byte("{\"TEXT\": \"a\"}\n"), "no field", nil},
		"z.jsonl":     {[]byte("{\"text\": \"a\", \"text\": \"b\"}\n"), "duplicate", nil},
		"number.json": {[]byte("{\"text\": 7}\n"), "number", nil},
	} {
		dir := t.TempDir()
		writeFiles(t, dir, map[string][]byte{name: c.content})
		in, left, err := Inputs([]string{filepath.Join(dir, name)})
		var got []string
		if err == nil {
			got, err = textsOf(in[0])
		}
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), c.kind) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: error %v, want %q", name, err, c.kind)
			}
			continue
		}
		if err != nil || len(left) > 0 || in[0].Kind.String() != c.kind || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v %q, %v; want %s %q", name, in, got, err, c.kind, c.want)
		}
	}
}

func decode64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Of a folder, what is not read is named; of documents, counted.
func TestLeftOut(t *testing.T) {
	dir := t.TempDir()
	var rows strings.Builder
	for i := range 30 {
		fmt.Fprintf(&rows, "{\"text\": \"row %d\"}\n{\"text\": null}\n", i)
	}
	writeFiles(t, dir, map[string][]byte{"a.jsonl": []byte(rows.String()), "b.zip": []byte("PK\x03\x04"), ".hidden": nil})
	if err := os.Symlink("a.jsonl", filepath.Join(dir, "link.jsonl")); err != nil {
		t.Skip(err)
	}
	in, left, err := Inputs([]string{dir})
	if err != nil || len(in) != 1 || len(left) != 2 || !strings.Contains(left[0].String(), "b.zip: not a text file: a zip archive") ||
		!strings.Contains(left[1].String(), "link.jsonl: a symbolic link") {
		t.Fatalf("%v, %v, %v", in, left, err)
	}
	var last Progress
	_, _, err = BuildFiles(t.Context(), newBucket(), in, Bytes{}, FilesOptions{Name: "x", Separator: -1, Progress: func(p Progress) { last = p }})
	if err != nil || last.Skipped[skipNull] != 30 {
		t.Errorf("%+v, %v", last, err)
	}
	if _, _, err := Inputs([]string{filepath.Join(dir, "b.zip")}); !errors.Is(err, ErrUnread) {
		t.Errorf("a named zip: %v", err)
	}
	only := t.TempDir()
	writeFiles(t, only, map[string][]byte{"b.zip": []byte("PK\x03\x04")})
	if _, _, err := Inputs([]string{only}); err == nil || !strings.Contains(err.Error(), "zip") {
		t.Errorf("a folder of nothing: %v", err)
	}
}

func TestLinesAreBounded(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string][]byte{"a.jsonl": []byte("{\"text\": \"" + strings.Repeat("a", maxLine) + "\"}\n")})
	in, _, err := Inputs([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := textsOf(in[0]); err == nil || !strings.Contains(err.Error(), "line 1 is longer than") {
		t.Errorf("error %v", err)
	}
}

// A packed array has elements of any length: one is bounded as a line is.
func TestElementsAreBounded(t *testing.T) {
	text := io.MultiReader(strings.NewReader(`[{"text": "one"}, {"text": "`), &letters{left: 3 * maxLine}, strings.NewReader(`"}]`))
	n := 0
	err := Kind{Form: formArray}.read(text, func(document) bool { n++; return true })
	if n != 1 || err == nil || !strings.Contains(err.Error(), "element 1 is longer than") {
		t.Errorf("%d documents, error %v", n, err)
	}
}

// letters is so many of them.
type letters struct{ left int }

func (l *letters) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), l.left)
	for i := range p[:n] {
		p[i] = 'a'
	}
	l.left -= n
	return n, nil
}

// A footer of a few bytes that lists two thousand million row groups asks for no memory.
func TestParquetFootersAreWalked(t *testing.T) {
	dir := t.TempDir()
	file := func(footer string) []byte {
		return append([]byte("PAR1"+footer), append(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), "PAR1"...)...)
	}
	deep := strings.Repeat("\x1c", 1000)
	writeFiles(t, dir, map[string][]byte{
		"lists": file("\x49\xfc\xff\xff\xff\xff\x07"), "deep": file(deep), "deeper": file(strings.Repeat("\x19\x19", 1000)),
		"ends": file("\x18\xff\xff\x03"), "large": append([]byte("PAR1"), "\xff\xff\xff\xffPAR1"...),
	})
	for name, want := range map[string]string{"lists": "items", "deep": "deep", "deeper": "deep", "ends": "too early", "large": "bytes"} {
		in, err := newInput(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := textsOf(in); !errors.Is(err, errFooter) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

func FuzzCheckFooter(f *testing.F) {
	var table bytes.Buffer
	if err := parquet.Write(&table, []struct {
		Text string `parquet:"text"`
	}{{"one"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(table.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		if checkFooter(bytes.NewReader(file), int64(len(file))) != nil {
			return
		}
		defer func() { _ = recover() }() // as readParquet does: what is not recovered is memory
		_, _ = parquet.OpenFile(bytes.NewReader(file), int64(len(file)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	})
}

// Documents of any stream are UTF-8 or left out.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"{\"text\": \"one\"}\n{\"text\": null}\n", "[{\"text\": \"one\"}, {\"text\": \"tw\\u00f6\"}]", "plain\ntext\xff", bom + "a"} {
		f.Add([]byte(text), ".json")
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		f.Add(z.Bytes(), ".json")
	}
	f.Fuzz(func(t *testing.T, file []byte, ext string) {
		k := Kind{Pack: packOf(file)}
		if len(file) > 4<<10 || k.Pack == "xz" || k.Pack == "zstd" { // whose windows are large
			return
		}
		head := file
		if k.Pack != "" {
			r, release, err := unpack(bytes.NewReader(file), k.Pack)
			if err != nil {
				return
			}
			head, _, err = readHead(r)
			if release(); err != nil {
				return
			}
		}
		form, err := formOf(head, false, k.Pack, ext)
		if k.Form = form; err != nil || form == formParquet {
			return
		}
		n := 0
		_ = k.read(bytes.NewReader(file), func(d document) bool {
			if d.skip == "" && !utf8.Valid(d.text) {
				t.Fatalf("a document of %q", d.text)
			}
			n++
			return n < 100
		})
	})
}

func FuzzFormOf(f *testing.F) {
	f.Add([]byte("{\"text\": 1}\n"), ".json")
	f.Fuzz(func(t *testing.T, head []byte, ext string) {
		form, err := formOf(head, true, packOf(head), ext)
		if (form == "") != (err != nil) {
			t.Fatalf("%q: %q, %v", head, form, err)
		}
	})
}
