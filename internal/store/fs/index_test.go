package fs

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"templar/internal/store"
)

// counting opens a store with an empty bucket, and counts the directories that it reads.
func counting(t *testing.T, dir string) (*Store, *atomic.Int64) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	reads := new(atomic.Int64)
	s.readDir = func(dir string) ([]fs.DirEntry, error) {
		reads.Add(1)
		return os.ReadDir(dir)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	return s, reads
}

func put(t *testing.T, s *Store, key string) {
	t.Helper()
	if _, err := s.Put(t.Context(), "bucket", key, strings.NewReader("x"), 1, PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// keysOf lists the bucket in pages of n.
func keysOf(t *testing.T, s *Store, prefix string, n int) (keys []string) {
	t.Helper()
	for after := ""; ; after = keys[len(keys)-1] {
		infos, err := s.Bucket("bucket").List(t.Context(), prefix, after, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range infos {
			keys = append(keys, i.Key)
		}
		if len(infos) < n {
			return keys
		}
	}
}

// A bucket's directories are read once, however many pages are asked for and whatever is
// written in between.
func TestPagesReadNoDirectory(t *testing.T) {
	s, reads := counting(t, t.TempDir())
	long := strings.Repeat("k", maxComponent+1) // in a directory of its own
	want := []string{long}
	for i := range 300 {
		want = append(want, fmt.Sprintf("key-%03d", i))
	}
	for _, key := range want {
		put(t, s, key)
	}
	slices.Sort(want)
	if got := keysOf(t, s, "", 7); !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d: %q", len(got), len(want), got)
	}
	if n := reads.Load(); n != 2 {
		t.Errorf("%d directories were read for 43 pages, want the bucket's two", n)
	}
	put(t, s, "key-000a")
	if err := s.Delete("bucket", "key-001", nil); err != nil {
		t.Fatal(err)
	}
	u, err := s.CreateUpload("bucket", "key-000b", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.PutPart(t.Context(), u, 1, strings.NewReader("x"), 1, PartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Complete(t.Context(), u, []Part{p}, PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, s, "key-00", 3); !slices.Equal(got[:4], []string{"key-000", "key-000a", "key-000b", "key-002"}) {
		t.Errorf("after a put, a delete and an upload in parts: %q", got)
	}
	if n := reads.Load(); n != 2 {
		t.Errorf("%d directories were read, want no more than before", n)
	}
}

// Who shares a directory with its writer sees what that writes.
func TestSharedListsAnew(t *testing.T) {
	dir := t.TempDir()
	s, _ := counting(t, dir)
	shared, err := Open(dir, Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		put(t, s, fmt.Sprint(i))
		if got := keysOf(t, shared, "", 2); len(got) != i+1 {
			t.Errorf("%q after %d puts", got, i+1)
		}
	}
}

// What is listed is what lies in the directory, whoever writes, deletes and lists at once.
func TestIndexIsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	s, _ := counting(t, dir)
	b := s.Bucket("bucket")
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			draw := rand.New(rand.NewPCG(uint64(w), 0))
			for range 200 {
				key := fmt.Sprint("key-", draw.IntN(20))
				var err error
				switch draw.IntN(5) {
				case 0, 1:
					_, err = b.Put(t.Context(), key, bytes.NewReader([]byte("x")), 1, store.PutOptions{})
				case 2, 3:
					err = b.Delete(t.Context(), key)
				case 4:
					var infos []store.Info
					infos, err = b.List(t.Context(), "key-", "", 100)
					if !slices.IsSortedFunc(infos, func(a, b store.Info) int { return strings.Compare(a.Key, b.Key) }) {
						t.Errorf("not in order: %v", infos)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	shared, err := Open(dir, Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keysOf(t, s, "", 100), keysOf(t, shared, "", 100); !slices.Equal(got, want) {
		t.Errorf("listed %q, there are %q", got, want)
	}
	if i := s.index.of("bucket", false); !slices.Equal(i.mu.keys, keysOf(t, shared, "", 100)) {
		t.Errorf("the index has %q", i.mu.keys)
	}
}
