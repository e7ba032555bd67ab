package fs

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"templar/internal/store"
)

func encoded(t testing.TB, o Object, data []byte) []byte {
	t.Helper()
	record, err := appendRecord(o)
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(data), record...)
}

var sample = Object{
	Key: "gradient-1-2-v1", Size: 4, Modified: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	ETag: []byte{1, 2, 3}, Header: map[string]string{"X-Amz-Meta-A": "b"},
}

func TestRecordRoundTrip(t *testing.T) {
	file := encoded(t, sample, []byte("data"))
	got, err := readRecord(bytes.NewReader(file), int64(len(file)))
	if err != nil || !reflect.DeepEqual(got, sample) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := appendRecord(Object{Header: map[string]string{"a": strings.Repeat("x", maxRecord)}}); err == nil {
		t.Error("encoded a record that cannot be read back")
	}
}

// TestEveryTornFileIsRefused cuts the file at each length and flips each bit of what
// follows the data.
func TestEveryTornFileIsRefused(t *testing.T) {
	file := encoded(t, sample, []byte("data"))
	for n := range file {
		if _, err := readRecord(bytes.NewReader(file[:n]), int64(n)); err == nil {
			t.Errorf("accepted the first %d of %d bytes", n, len(file))
		}
	}
	for bit := 4 * 8; bit < len(file)*8; bit++ {
		bad := bytes.Clone(file)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := readRecord(bytes.NewReader(bad), int64(len(bad))); err == nil {
			t.Errorf("accepted with bit %d flipped", bit)
		}
	}
}

func FuzzReadRecord(f *testing.F) {
	f.Add(encoded(f, sample, []byte("data")))
	f.Add(encoded(f, Object{Key: "k"}, nil))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00" + magic))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := readRecord(bytes.NewReader(b), int64(len(b)))
		if err == nil && (o.Size < 0 || o.Size > int64(len(b))) {
			t.Errorf("size %d from a file of %d bytes", o.Size, len(b))
		}
	})
}

// TestFileNames: every key has a name of its own that the listing turns back.
func TestFileNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "names")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		key := rapid.StringN(1, -1, store.MaxKeyLen).Filter(func(s string) bool { return store.CheckKey(s) == nil })
		want := map[string]bool{}
		for _, k := range rapid.SliceOfNDistinct(key, 1, 5, rapid.ID).Draw(t, "keys") {
			path := filepath.Join(dir, fileName(k))
			for _, c := range strings.Split(fileName(k), string(filepath.Separator)) {
				if len(c) > 255 || c == "." || c == ".." {
					t.Fatalf("key %q: component %q", k, c)
				}
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			want[k] = true
		}
		keys, err := (&Store{readDir: os.ReadDir}).readKeys(nil, dir, "", "")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, k := range keys {
			got[k] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestFileNamesKeepCaseApart(t *testing.T) {
	if strings.EqualFold(fileName("a"), fileName("A")) {
		t.Error("a and A are one file where case does not count")
	}
}
