package transfer

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	about := subject{Key: "key", ETag: "etag", Size: 100, PartSize: 10}
	open := func(s subject, resume bool, want map[int]uint32) *journal {
		t.Helper()
		j, err := openJournal(path, s, resume)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.file.Close() })
		if !maps.Equal(j.have, want) {
			t.Errorf("parts %v, want %v", j.have, want)
		}
		return j
	}
	note := func(j *journal, part int) {
		t.Helper()
		if err := j.note(part, uint32(part)*7); err != nil {
			t.Fatal(err)
		}
	}
	j := open(about, true, nil)
	note(j, 0)
	j.file.WriteString(`{"part":5,"crc32c":3`) // the process was killed here
	j = open(about, true, map[int]uint32{0: 0})
	note(j, 3)
	open(about, true, map[int]uint32{0: 0, 3: 21})

	for _, other := range []subject{{Key: "key2", ETag: "etag", Size: 100, PartSize: 10}, {Key: "key", ETag: "etag2", Size: 100, PartSize: 10},
		{Key: "key", ETag: "etag", Size: 101, PartSize: 10}, {Key: "key", ETag: "etag", Size: 100, PartSize: 11}} {
		note(open(other, true, nil), 1)
		open(other, true, map[int]uint32{1: 7})
	}
	note(open(about, false, nil), 2) // the partial file is gone
	unpinned := subject{Key: "key", Size: 100, PartSize: 10}
	note(open(unpinned, true, nil), 4)
	j = open(unpinned, true, nil) // nothing tells whether it is the same object
	for range 2 {
		if err := j.remove(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal is there still: %v", err)
	}
}
