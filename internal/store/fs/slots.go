package fs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Parts go to their places in one file, which becomes the object when the upload is
// completed: joining them then costs a rename, where copying would send all bytes to the
// disk a second time. The first part that arrives gives the size of the places (slots);
// the file is uploads/<id>/data, and uploads/<id>/slot-<number> tells that a slot is
// filled. A part that fits in no free slot (sent again, or longer than the first) gets a
// file of its own, which then counts in the slot's place, and Complete copies.

// slot describes a filled one; in JSON.
type slot struct {
	Width    int64     `json:"width"` // of all the upload's slots
	Size     int64     `json:"size"`
	ETag     []byte    `json:"etag"`
	Modified time.Time `json:"modified"`
	Checksum string    `json:"checksum,omitempty"`
}

// slotTable knows the slots of uploads that this process has seen parts of.
type slotTable struct {
	sync.Mutex
	uploads map[string]*slots
}

type slots struct {
	width  int64
	busy   map[int]bool // being written
	sealed bool         // the file is becoming the object
}

// maxObject bounds the offset of a slot, as S3 bounds objects: a part's number is
// whatever the client says.
const maxObject = 5 << 40

func (s *Store) dataPath(u Upload) string { return s.path("uploads", u.ID, "data") }

func (s *Store) slotPath(u Upload, number int) string {
	return s.path("uploads", u.ID, fmt.Sprintf("slot-%05d", number))
}

// slotsOf is called with the table locked.
func (s *Store) slotsOf(u Upload) *slots {
	if t := s.slots.uploads[u.ID]; t != nil {
		return t
	}
	t := &slots{busy: make(map[int]bool)}
	found, _ := filepath.Glob(s.path("uploads", u.ID, "slot-*")) // of an earlier process
	for _, path := range found {
		if have, err := readSlot(path); err == nil {
			t.width = have.Width
			break
		}
	}
	if s.slots.uploads == nil {
		s.slots.uploads = make(map[string]*slots)
	}
	s.slots.uploads[u.ID] = t
	return t
}

// takeSlot reserves the slot of a part, if it is free and wide enough. The caller gives it
// back.
func (s *Store) takeSlot(u Upload, number int, size int64) (width int64, ok bool) {
	s.slots.Lock()
	defer s.slots.Unlock()
	t := s.slotsOf(u)
	if t.width == 0 {
		t.width = size
	}
	if size <= 0 || size > t.width || t.sealed || t.busy[number] || int64(number) > maxObject/t.width ||
		exists(s.slotPath(u, number)) || exists(s.partPath(u, number)) {
		return 0, false
	}
	t.busy[number] = true
	return t.width, true
}

func (s *Store) giveBack(u Upload, number int) {
	s.slots.Lock()
	defer s.slots.Unlock()
	if t := s.slots.uploads[u.ID]; t != nil {
		delete(t.busy, number)
	}
}

func (s *Store) forget(u Upload) {
	s.slots.Lock()
	defer s.slots.Unlock()
	delete(s.slots.uploads, u.ID)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// putSlot stores a part in its slot.
func (s *Store) putSlot(ctx context.Context, u Upload, number int, width int64, body io.Reader, size int64, o PartOptions) (Part, error) {
	f, err := os.OpenFile(s.dataPath(u), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return Part{}, err
	}
	defer f.Close()
	have := slot{Width: width}
	if have.Size, have.ETag, err = s.receive(ctx, f, int64(number-1)*width, body, size, o.MD5); err != nil {
		return Part{}, err
	}
	if s.fsync {
		if err := f.Sync(); err != nil {
			return Part{}, err
		}
	}
	have.Modified, have.Checksum = s.now().UTC(), o.checksum()
	if err := s.writeJSON(s.slotPath(u, number), have); err != nil {
		return Part{}, err
	}
	return have.part(number), nil
}

func (h slot) part(number int) Part {
	return Part{Number: number, Size: h.Size, ETag: h.ETag, Modified: h.Modified, Checksum: h.Checksum}
}

// writeJSON writes a file of its own first, so that path is whole or not there.
func (s *Store) writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.tmp(), "json-*")
	if err != nil {
		return err
	}
	defer discard(f)
	if _, err := f.Write(b); err != nil {
		return err
	}
	if s.fsync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(path))
}

func readSlot(path string) (slot, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return slot{}, err
	}
	var have slot
	if err := json.Unmarshal(b, &have); err != nil || have.Width <= 0 || have.Size < 0 || have.Size > have.Width {
		return slot{}, fmt.Errorf("%s: %w", filepath.Base(path), errTorn)
	}
	return have, nil
}

// sealSlots returns the slots' file if the parts are all that it holds, in their order and
// without gaps. From then on nobody writes to it, unless unsealSlots takes that back.
func (s *Store) sealSlots(u Upload, parts []Part) (f *os.File, size int64, ok bool) {
	s.slots.Lock()
	defer s.slots.Unlock()
	t := s.slotsOf(u)
	if t.sealed || len(t.busy) > 0 {
		return nil, 0, false
	}
	for i, p := range parts {
		have, err := readSlot(s.slotPath(u, i+1))
		if err != nil || p.Number != i+1 || size != int64(i)*t.width || !bytes.Equal(have.ETag, p.ETag) || exists(s.partPath(u, i+1)) {
			return nil, 0, false
		}
		size += have.Size
	}
	f, err := os.OpenFile(s.dataPath(u), os.O_RDWR, 0)
	if err != nil {
		return nil, 0, false
	}
	if info, err := f.Stat(); err != nil || info.Size() != size {
		f.Close()
		return nil, 0, false
	}
	t.sealed = true
	return f, size, true
}

func (s *Store) unsealSlots(u Upload) {
	s.slots.Lock()
	defer s.slots.Unlock()
	if t := s.slots.uploads[u.ID]; t != nil {
		t.sealed = false
	}
}

// openPart returns a part's data, from its own file or else its slot.
func (s *Store) openPart(u Upload, number int) (io.ReadCloser, Part, error) {
	f, o, err := open(s.partPath(u, number))
	if err == nil {
		return Section(f, 0, o.Size), ownPart(o, number), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, Part{}, err
	}
	have, err := readSlot(s.slotPath(u, number))
	if err != nil {
		return nil, Part{}, err
	}
	if f, err = os.Open(s.dataPath(u)); err != nil {
		return nil, Part{}, err
	}
	return Section(f, int64(number-1)*have.Width, have.Size), have.part(number), nil
}

// partNumber reads a part's number from a name in an upload's directory.
func partNumber(name string) (number string, ok bool) {
	if number, ok = strings.CutPrefix(name, "part-"); ok {
		return number, true
	}
	return strings.CutPrefix(name, "slot-")
}
