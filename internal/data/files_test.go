package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"templar/internal/store"
)

// files writes 24 documents of three lines each in three formats, and what must not be read.
func files(t *testing.T) (dir string, docs []string) {
	t.Helper()
	dir = t.TempDir()
	put := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	doc := func(i int) string {
		d := fmt.Sprintf("document %d\n\tsays \"é\"\nand ends", i)
		docs = append(docs, d)
		return d
	}
	type row struct {
		ID   int    `parquet:"id"`
		Text string `parquet:"text"`
	}
	var lines strings.Builder
	for i := range 8 {
		fmt.Fprintf(&lines, "{\"id\": %d, \"text\": %q}\n\n", i, doc(i))
	}
	put("a.jsonl", []byte(lines.String()))
	var rows []row
	for i := range 8 {
		rows = append(rows, row{i, doc(i + 8)})
	}
	var table bytes.Buffer
	w := parquet.NewGenericWriter[row](&table, parquet.MaxRowsPerRowGroup(3))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put("b.parquet", table.Bytes())
	for i := range 8 {
		put(fmt.Sprintf("c/%d.txt", i), []byte(doc(i+16)))
	}
	put(".hidden", []byte("no"))
	put("c/binary", []byte("no\x00"))
	return dir, docs
}

// spread is the bytes' tokenizer with ids of 32 bits.
type spread struct{ Bytes }

func (spread) Name() string   { return "spread" }
func (spread) VocabSize() int { return 1 << 17 }
func (spread) Encode(dst []int32, text []byte) []int32 {
	for _, b := range text {
		dst = append(dst, int32(b)<<8)
	}
	return dst
}

func buildFiles(ctx context.Context, t *testing.T, b store.Bucket, dir string, tok Tokenizer, workers int, progress func(Progress)) (*Dataset, Manifest, error) {
	t.Helper()
	inputs, _, err := Inputs([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	m, hash, err := BuildFiles(ctx, b, inputs, tok, FilesOptions{
		Name: "mixed", ShardTokens: 100, BlockTokens: 32, Separator: 1, Workers: workers, Progress: progress,
	})
	if err != nil {
		return nil, m, err
	}
	d, err := Open(t.Context(), b, hash)
	if err != nil {
		t.Fatal(err)
	}
	return d, m, nil
}

func TestBuildFiles(t *testing.T) {
	dir, docs := files(t)
	for _, tok := range []Tokenizer{Bytes{}, spread{}} {
		var last Progress
		d, m, err := buildFiles(t.Context(), t, newBucket(), dir, tok, 2, func(p Progress) { last = p })
		if err != nil {
			t.Fatal(err)
		}
		var train, held []int32
		for i, doc := range docs {
			to := &train
			if i%heldOutEvery == heldOutEvery-1 {
				to = &held
			}
			*to = append(tok.Encode(*to, []byte(doc)), 1)
		}
		got, err := d.Page(t.Context(), 0, len(train)-1)
		if err != nil || !slices.Equal(got, train) {
			t.Errorf("%s: the shards hold %d tokens, want %d: %v", tok.Name(), len(got), len(train), err)
		}
		if got, err = d.HeldOut(t.Context()); err != nil || !slices.Equal(got, held) {
			t.Errorf("%s: held out are %d tokens, want %d: %v", tok.Name(), len(got), len(held), err)
		}
		if last.Files != 10 || last.AllFiles != 10 || last.Tokens != uint64(len(train)+len(held)) || last.Resumed || m.TokenBytes != widthOf(tok.VocabSize()) {
			t.Errorf("%s: progress %+v, %d bytes a token", tok.Name(), last, m.TokenBytes)
		}
	}
}

// Interrupted after each document in turn, a build still ends in the same manifest, and
// writes no shard twice.
func TestBuildFilesResumes(t *testing.T) {
	dir, docs := files(t)
	_, want, err := buildFiles(t.Context(), t, newBucket(), dir, Bytes{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for stop := 1; stop < len(docs); stop += 4 {
		b := newBucket()
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, _, err := buildFiles(ctx, t, b, dir, Bytes{}, 2, func(Progress) {
			if n++; n == stop {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after %d: %v", stop, err)
		}
		shards := len(b.objects)
		var first Progress
		_, got, err := buildFiles(t.Context(), t, b, dir, Bytes{}, 2, func(p Progress) {
			if first.Files == 0 {
				first = p
			}
		})
		if err != nil || !cmp.Equal(got, want) {
			t.Fatalf("interrupted after %d documents: %v, manifest %s", stop, err, cmp.Diff(want, got))
		}
		if first.Resumed != (shards > 0) {
			t.Errorf("after %d documents with %d objects: resumed is %v", stop, shards, first.Resumed)
		}
		for key := range b.objects {
			if strings.HasPrefix(key, "building-") {
				t.Errorf("%s was left", key)
			}
		}
		cancel()
	}
}

func TestBuildFilesRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, content, want string }{
		"no text":        {"a.jsonl", `{"txt": "x"}`, `line 1: no field "text"`},
		"no JSON":        {"a.jsonl", "{\"text\": \"x\"}\n{", "line 2"},
		"damaged table":  {"a.parquet", "PAR1....PAR1", "a.parquet"},
		"too few":        {"a.txt", "one\n", "too few"},
		"an empty file":  {"a.txt", "", "too few"},
		"foreign column": {"a.parquet", string(table(t)), `no column "text"`},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := buildFiles(t.Context(), t, newBucket(), dir, Bytes{}, 2, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := Inputs([]string{t.TempDir()}); err == nil {
		t.Error("an empty directory is taken")
	}
}

func table(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[struct{ Body string }](&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Long text is cut at line ends; the pieces are the text, and only the last ends it.
func TestTextIsCut(t *testing.T) {
	for _, n := range []int{0, 10, pieceOfText, pieceOfText + 10, 5*pieceOfText + 7} {
		path := filepath.Join(t.TempDir(), "a.txt")
		want := text(n).Text
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		var got []byte
		ends := 0
		for d, err := range (Input{Path: path}).documents() {
			if err != nil {
				t.Fatal(err)
			}
			if d.continued && !bytes.HasSuffix(d.text, []byte("\n")) || len(d.text) > pieceOfText {
				t.Errorf("a piece of %d bytes ends within a line", len(d.text))
			}
			if got = append(got, d.text...); !d.continued {
				ends++
			}
		}
		if !bytes.Equal(got, want) || ends != min(n, 1) {
			t.Errorf("%d bytes: %d came, with %d ends", n, len(got), ends)
		}
	}
}

// Only the blocks of a page are read, and a damaged one comes from a mirror.
func TestBlocksAndMirrors(t *testing.T) {
	dir, _ := files(t)
	b, mirror := newBucket(), newBucket()
	_, m, err := buildFiles(t.Context(), t, b, dir, Bytes{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := buildFiles(t.Context(), t, mirror, dir, Bytes{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.Page(t.Context(), 0, 200)
	if err != nil {
		t.Fatal(err)
	}
	key := m.Shards[0].Key
	b.objects[key][100] ^= 1 // in the second block
	_, hash, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	alone, err := Open(t.Context(), b, hash)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := alone.Page(t.Context(), 0, 16); err != nil || !slices.Equal(page, want[:17]) {
		t.Errorf("a page before the damage: %v", err)
	}
	if _, err := alone.Page(t.Context(), 0, 64); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), key) {
		t.Errorf("a damaged block: %v", err)
	}
	both, err := Open(t.Context(), b, hash, mirror)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := both.Page(t.Context(), 0, 200); err != nil || !slices.Equal(page, want) {
		t.Errorf("with a mirror: %v", err)
	}
	delete(b.objects, ManifestKey(hash))
	if _, err := Open(t.Context(), b, hash, mirror); err != nil {
		t.Errorf("a manifest that only the mirror has: %v", err)
	}
}
