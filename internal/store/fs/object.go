package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"templar/internal/store"
)

// PutOptions of Put and Complete.
type PutOptions struct {
	// Header is kept with the object.
	Header map[string]string
	// Check, if set, is called with the object that would be replaced, nil if there
	// is none, while no other writer can change the key. Its error aborts the Put.
	Check func(old *Object) error
	// MD5, if set, must be the body's: else nothing is stored, and the error wraps
	// ErrBadDigest. Complete does not look at it.
	MD5 []byte
}

// Put stores body under key, all or nothing. A body that does not end after size
// bytes is refused, with io.ErrUnexpectedEOF if shorter; size < 0 takes what comes.
func (s *Store) Put(ctx context.Context, bucket, key string, body io.Reader, size int64, o PutOptions) (Object, error) {
	if err := store.CheckKey(key); err != nil {
		return Object{}, err
	}
	if _, err := s.bucketDir(bucket); err != nil {
		return Object{}, err
	}
	f, err := os.CreateTemp(s.tmp(), "put-*")
	if err != nil {
		return Object{}, fmt.Errorf("put: %w", err)
	}
	defer discard(f)
	obj := Object{Key: key, Header: o.Header}
	if obj.Size, obj.ETag, err = s.receive(ctx, f, 0, body, size, o.MD5); err != nil {
		return Object{}, fmt.Errorf("put %q: %w", key, err)
	}
	return s.publish(f, bucket, obj, o.Check)
}

// publish makes f, which holds the data, the object.
func (s *Store) publish(f *os.File, bucket string, o Object, check func(old *Object) error) (Object, error) {
	l := s.lock(bucket, o.Key)
	l.Lock()
	defer l.Unlock()
	if check != nil {
		if err := s.check(bucket, o.Key, check); err != nil {
			return Object{}, err
		}
	}
	o.Modified = s.now().UTC()
	err := s.seal(f, o, s.path("buckets", bucket, fileName(o.Key)))
	s.index.update(bucket, o.Key, true) // even then: perhaps it has its name, and is not durable
	if err != nil {
		return Object{}, fmt.Errorf("put %q: %w", o.Key, err)
	}
	return o, nil
}

func (s *Store) check(bucket, key string, check func(old *Object) error) error {
	old, err := s.Stat(bucket, key)
	if errors.Is(err, store.ErrNotFound) {
		return check(nil)
	}
	if err != nil {
		return err
	}
	return check(&old)
}

// seal writes o's record behind the data in f and moves it to path.
func (s *Store) seal(f *os.File, o Object, path string) error {
	record, err := appendRecord(o)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(record, o.Size); err != nil {
		return err
	}
	if s.fsync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil { // some file systems tell here that they are full
		return err
	}
	if err := s.makeParents(path); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(path))
}

// makeParents makes the directories of a long key, but never the bucket itself: one
// that was removed meanwhile must not come back.
func (s *Store) makeParents(path string) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err == nil || dir[len(dir)-1] != '+' {
		return nil
	}
	if err := s.makeParents(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncDir(filepath.Dir(dir))
}

// discard drops a temporary file; after seal there is nothing left to drop.
func discard(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// Open opens an object; the file holds its data first. The caller closes it. A
// missing object or bucket gives an error that wraps store.ErrNotFound.
func (s *Store) Open(bucket, key string) (*os.File, Object, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, Object{}, err
	}
	if _, err := s.bucketDir(bucket); err != nil {
		return nil, Object{}, err
	}
	f, o, err := open(s.path("buckets", bucket, fileName(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Object{}, fmt.Errorf("object %q: %w", key, store.ErrNotFound)
	}
	if err != nil {
		return nil, Object{}, fmt.Errorf("open object %q: %w", key, err)
	}
	return f, o, nil
}

func open(path string) (*os.File, Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Object{}, err
	}
	info, err := f.Stat()
	if err == nil {
		var o Object
		if o, err = readRecord(f, info.Size()); err == nil {
			return f, o, nil
		}
	}
	f.Close()
	return nil, Object{}, err
}

// Stat tells about an object without its data.
func (s *Store) Stat(bucket, key string) (Object, error) {
	f, o, err := s.Open(bucket, key)
	if err != nil {
		return Object{}, err
	}
	return o, f.Close()
}

// Delete removes an object, if it is there.
func (s *Store) Delete(bucket, key string) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	if _, err := s.bucketDir(bucket); err != nil {
		return err
	}
	l := s.lock(bucket, key)
	l.Lock()
	defer l.Unlock()
	path := s.path("buckets", bucket, fileName(key))
	err := os.Remove(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	s.index.update(bucket, key, false)
	if err != nil {
		return nil
	}
	return s.syncDir(filepath.Dir(path))
}
