package fs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"templar/internal/store"
)

// Errors of uploads.
var (
	ErrNoUpload = errors.New("no such upload")
	ErrBadPart  = errors.New("part is missing, has another ETag or is out of order")
)

// Upload is an upload in parts that was neither completed nor aborted.
type Upload struct {
	ID        string            `json:"-"`
	Bucket    string            `json:"bucket"`
	Key       string            `json:"key"`
	Initiated time.Time         `json:"initiated"`
	Header    map[string]string `json:"header,omitempty"` // of the object that it will be
	// Notes are the caller's: what else was asked for when the upload began.
	Notes map[string]string `json:"notes,omitempty"`
}

// Part is an uploaded part.
type Part struct {
	Number   int
	Size     int64
	ETag     []byte
	Modified time.Time
	Checksum string // what PartOptions.Checksum said
}

// PartOptions of PutPart.
type PartOptions struct {
	// MD5, if set, must be the body's, or the error wraps ErrBadDigest.
	MD5 []byte
	// Checksum, if set, is called when the body is here; its result is kept with the part.
	Checksum func() string
}

func (o PartOptions) checksum() string {
	if o.Checksum == nil {
		return ""
	}
	return o.Checksum()
}

// CreateUpload begins an upload in parts.
func (s *Store) CreateUpload(bucket, key string, header, notes map[string]string) (Upload, error) {
	if err := store.CheckKey(key); err != nil {
		return Upload{}, err
	}
	if _, err := s.bucketDir(bucket); err != nil {
		return Upload{}, err
	}
	if err := s.admitUpload(bucket); err != nil {
		return Upload{}, err
	}
	u := Upload{ID: strings.ToLower(rand.Text()), Bucket: bucket, Key: key, Initiated: s.now().UTC(), Header: header, Notes: notes}
	if err := s.writeUpload(u); err != nil {
		return Upload{}, fmt.Errorf("create upload: %w", err)
	}
	s.accountPart(u, 0)
	return u, nil
}

// writeUpload fills the directory under tmp first, so that no upload without its
// description is ever found.
func (s *Store) writeUpload(u Upload) error {
	dir := filepath.Join(s.tmp(), u.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir) // after the rename there is nothing left to remove
	if err := s.writeJSON(filepath.Join(dir, "upload.json"), u); err != nil {
		return err
	}
	if err := os.Rename(dir, s.path("uploads", u.ID)); err != nil {
		return err
	}
	return s.syncDir(s.path("uploads"))
}

// Upload finds an upload of that bucket and key.
func (s *Store) Upload(bucket, key, id string) (Upload, error) {
	if id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return Upload{}, ErrNoUpload
	}
	u, err := s.readUpload(id)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (u.Bucket != bucket || u.Key != key) {
		return Upload{}, ErrNoUpload
	}
	return u, err
}

func (s *Store) readUpload(id string) (Upload, error) {
	b, err := os.ReadFile(s.path("uploads", id, "upload.json"))
	if err != nil {
		return Upload{}, err
	}
	u := Upload{ID: id}
	if err := json.Unmarshal(b, &u); err != nil {
		return Upload{}, fmt.Errorf("upload %s: %w", id, err)
	}
	return u, nil
}

// Uploads lists a bucket's uploads by key, then by when they began.
func (s *Store) Uploads(bucket string) ([]Upload, error) {
	entries, err := os.ReadDir(s.path("uploads"))
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	var out []Upload
	for _, e := range entries {
		if u, err := s.readUpload(e.Name()); err == nil && u.Bucket == bucket {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b Upload) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return a.Initiated.Compare(b.Initiated)
	})
	return out, nil
}

// PutPart stores a part; one of the same number is replaced.
func (s *Store) PutPart(ctx context.Context, u Upload, number int, body io.Reader, size int64, o PartOptions) (Part, error) {
	if number < 1 || number > store.MaxParts {
		return Part{}, fmt.Errorf("%w: part number %d, not within 1 to %d", store.ErrInvalid, number, store.MaxParts)
	}
	release, err := s.reserve(u.Bucket, size)
	if err != nil {
		return Part{}, err
	}
	defer release()
	width, ok := s.takeSlot(u, number, size)
	put := func() (Part, error) { return s.putOwn(ctx, u, number, body, size, o) }
	if ok {
		defer s.giveBack(u, number)
		put = func() (Part, error) { return s.putSlot(ctx, u, number, width, body, size, o) }
	}
	p, err := put()
	if errors.Is(err, fs.ErrNotExist) && !exists(s.path("uploads", u.ID)) { // aborted or completed meanwhile
		s.forget(u)
		return Part{}, ErrNoUpload
	}
	if err != nil {
		return Part{}, fmt.Errorf("put part %d: %w", number, err)
	}
	s.accountPart(u, p.Size)
	return p, nil
}

// putOwn stores a part in a file of its own.
func (s *Store) putOwn(ctx context.Context, u Upload, number int, body io.Reader, size int64, opts PartOptions) (Part, error) {
	f, err := os.CreateTemp(s.tmp(), "part-*")
	if err != nil {
		return Part{}, err
	}
	defer discard(f)
	o := Object{Key: strconv.Itoa(number)}
	if o.Size, o.ETag, err = s.receive(ctx, f, 0, body, size, opts.MD5); err != nil {
		return Part{}, err
	}
	o.Modified = s.now().UTC()
	if sum := opts.checksum(); sum != "" {
		o.Header = map[string]string{partChecksum: sum}
	}
	if err := s.seal(f, o, s.partPath(u, number)); err != nil {
		return Part{}, err
	}
	return ownPart(o, number), nil
}

// partChecksum is where the record of a part's own file has its checksum.
const partChecksum = "checksum"

func ownPart(o Object, number int) Part {
	return Part{Number: number, Size: o.Size, ETag: o.ETag, Modified: o.Modified, Checksum: o.Header[partChecksum]}
}

func (s *Store) partPath(u Upload, number int) string {
	return s.path("uploads", u.ID, fmt.Sprintf("part-%05d", number))
}

// Parts lists an upload's parts by number.
func (s *Store) Parts(u Upload) ([]Part, error) {
	entries, err := os.ReadDir(s.path("uploads", u.ID))
	if err != nil {
		return nil, fmt.Errorf("list parts: %w", err)
	}
	var out []Part
	seen := make(map[int]bool)
	for _, e := range entries {
		digits, ok := partNumber(e.Name())
		number, err := strconv.Atoi(digits)
		if !ok || err != nil || seen[number] {
			continue
		}
		seen[number] = true
		if f, p, err := s.openPart(u, number); err == nil {
			f.Close()
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Part) int { return a.Number - b.Number })
	return out, nil
}

// Abort drops an upload and its parts.
func (s *Store) Abort(u Upload) error {
	defer s.forget(u)
	if err := os.RemoveAll(s.path("uploads", u.ID)); err != nil {
		return fmt.Errorf("drop upload: %w", err)
	}
	s.accountEnd(u)
	return nil
}

// dropUploads drops what began before t, or tells nothing of itself, or was completed by
// a process that got no further.
func (s *Store) dropUploads(t time.Time) error {
	entries, err := os.ReadDir(s.path("uploads"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if u, err := s.readUpload(e.Name()); err == nil && u.Initiated.After(t) && !s.completed(u) {
			continue
		}
		if err := os.RemoveAll(s.path("uploads", e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// completed tells whether the file of the upload's slots has become an object.
func (s *Store) completed(u Upload) bool {
	filled, _ := filepath.Glob(s.path("uploads", u.ID, "slot-*"))
	return len(filled) > 0 && !exists(s.dataPath(u))
}
