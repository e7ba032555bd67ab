package fs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"templar/internal/store"
)

const width = 1000

func partData(number, size int) []byte { return bytes.Repeat([]byte{byte('a' + number)}, size) }

// slotUpload begins an upload in a new store.
func slotUpload(t *testing.T) (*Store, Upload) {
	t.Helper()
	s, err := Open(t.TempDir(), Options{Fsync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	u, err := s.CreateUpload("bucket", "key", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, u
}

func putPart(t *testing.T, s *Store, u Upload, number int, data []byte) Part {
	t.Helper()
	p, err := s.PutPart(t.Context(), u, number, bytes.NewReader(data), int64(len(data)), PartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSlotsBecomeTheObject: in whatever order the parts come, joining them copies
// nothing; where they do not fit together, it does, and the object is the same.
func TestSlotsBecomeTheObject(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(t *testing.T, s *Store, u Upload) []Part // in the order of the object
		want   string
		copied bool
	}{
		{"in order", func(t *testing.T, s *Store, u Upload) []Part {
			return []Part{putPart(t, s, u, 1, partData(1, width)), putPart(t, s, u, 2, partData(2, width)), putPart(t, s, u, 3, partData(3, 10))}
		}, "1 2 3", false},
		{"last first, as wide as the others", func(t *testing.T, s *Store, u Upload) []Part {
			p2, p1 := putPart(t, s, u, 2, partData(2, width)), putPart(t, s, u, 1, partData(1, width))
			return []Part{p1, p2}
		}, "1 2", false},
		{"last first, and shorter", func(t *testing.T, s *Store, u Upload) []Part {
			p2, p1 := putPart(t, s, u, 2, partData(2, 10)), putPart(t, s, u, 1, partData(1, width))
			return []Part{p1, p2}
		}, "1 2", true},
		{"one", func(t *testing.T, s *Store, u Upload) []Part { return []Part{putPart(t, s, u, 1, partData(1, 10))} }, "1", false},
		{"sent again", func(t *testing.T, s *Store, u Upload) []Part {
			putPart(t, s, u, 1, partData(9, width))
			return []Part{putPart(t, s, u, 1, partData(1, width)), putPart(t, s, u, 2, partData(2, 10))}
		}, "1 2", true},
		{"one left out", func(t *testing.T, s *Store, u Upload) []Part {
			p1, _, p3 := putPart(t, s, u, 1, partData(1, width)), putPart(t, s, u, 2, partData(2, width)), putPart(t, s, u, 3, partData(3, width))
			return []Part{p1, p3}
		}, "1 3", true},
		{"more than is asked for", func(t *testing.T, s *Store, u Upload) []Part {
			p1, _ := putPart(t, s, u, 1, partData(1, width)), putPart(t, s, u, 2, partData(2, width))
			return []Part{p1}
		}, "1", true},
		{"a gap", func(t *testing.T, s *Store, u Upload) []Part {
			return []Part{putPart(t, s, u, 1, partData(1, width)), putPart(t, s, u, 10_000, partData(2, 10))}
		}, "1 2", true},
		{"broken off, and sent again", func(t *testing.T, s *Store, u Upload) []Part {
			if _, err := s.PutPart(t.Context(), u, 1, io.MultiReader(strings.NewReader("half"), errReader{}), width, PartOptions{}); !errors.Is(err, errCut) {
				t.Errorf("part from a broken body: %v", err)
			}
			return []Part{putPart(t, s, u, 1, partData(1, width)), putPart(t, s, u, 2, partData(2, 10))}
		}, "1 2", false},
		{"longer than announced", func(t *testing.T, s *Store, u Upload) []Part {
			p2 := putPart(t, s, u, 2, partData(2, width))
			if _, err := s.PutPart(t.Context(), u, 1, bytes.NewReader(partData(9, width+1)), width, PartOptions{}); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("part that goes on: %v", err)
			}
			return []Part{putPart(t, s, u, 1, partData(1, width)), p2}
		}, "1 2", false},
		{"over a restart", func(t *testing.T, s *Store, u Upload) []Part {
			p1 := putPart(t, s, u, 1, partData(1, width))
			again, err := Open(s.dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			return []Part{p1, putPart(t, again, u, 2, partData(2, 10))}
		}, "1 2", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, u := slotUpload(t)
			parts := c.do(t, s, u)
			var want []byte
			for i, n := range strings.Fields(c.want) {
				want = append(want, partData(int(n[0]-'0'), int(parts[i].Size))...)
			}
			before, _ := os.Stat(s.dataPath(u))
			refuse := errors.New("not now")
			if _, err := s.Complete(t.Context(), u, parts, PutOptions{Check: func(*Object) error { return refuse }}); !errors.Is(err, refuse) {
				t.Errorf("complete against a condition: %v", err)
			}
			o, err := s.Complete(t.Context(), u, parts, PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			f, _, err := s.Open("bucket", "key")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := io.ReadAll(Section(f, 0, o.Size))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes %.8q..., %v; want %d %.8q...", len(got), got, err, len(want), want)
			}
			after, err := f.Stat()
			if err != nil || os.SameFile(before, after) == c.copied {
				t.Errorf("copied: %v, want %v", c.copied, !c.copied)
			}
			if exists(s.path("uploads", u.ID)) || len(s.slots.uploads) > 0 {
				t.Error("something of the upload is left")
			}
		})
	}
}

var errCut = errors.New("cut")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errCut }

// A part that is being written belongs to nobody else: the same part sent at the same time
// goes elsewhere, and the slots are not sealed.
func TestBusySlot(t *testing.T) {
	s, u := slotUpload(t)
	r, w := io.Pipe()
	slow := make(chan error)
	go func() {
		_, err := s.PutPart(t.Context(), u, 1, r, width, PartOptions{})
		slow <- err
	}()
	w.Write(partData(8, 1)) // it has the slot now
	fast := putPart(t, s, u, 1, partData(1, width))
	if o, err := s.Complete(t.Context(), u, []Part{fast}, PutOptions{}); err != nil || o.Size != width {
		t.Errorf("complete: %+v, %v", o, err)
	}
	w.Write(partData(8, width-1))
	w.Close()
	if err := <-slow; !errors.Is(err, ErrNoUpload) {
		t.Errorf("part that came after the end: %v", err)
	}
	f, o, err := s.Open("bucket", "key")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(Section(f, 0, o.Size)); err != nil || !bytes.Equal(got, partData(1, width)) {
		t.Errorf("%.20q, %v", got, err)
	}
}

// A process killed between making the object and dropping the upload leaves nothing to go on with.
func TestCompletedUploadIsDropped(t *testing.T) {
	s, u := slotUpload(t)
	putPart(t, s, u, 1, partData(1, width))
	if err := os.Rename(s.dataPath(u), s.path("buckets", "bucket", "key=")); err != nil {
		t.Fatal(err)
	}
	s, err := Open(s.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if us, err := s.Uploads("bucket"); err != nil || len(us) != 0 {
		t.Errorf("%v, %v", us, err)
	}
}
