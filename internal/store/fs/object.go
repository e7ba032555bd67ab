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
	release, err := s.reserve(bucket, size)
	if err != nil {
		return Object{}, err
	}
	defer release()
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
	account := s.accountObject(bucket, o.Key)
	err := s.seal(f, o, s.path("buckets", bucket, fileName(o.Key)))
	account()
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
	dir, err := s.bucketDir(bucket)
	if err != nil {
		return nil, Object{}, err
	}
	f, o, err := openObject(dir, fileName(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Object{}, fmt.Errorf("object %q: %w", key, store.ErrNotFound)
	}
	if err != nil {
		return nil, Object{}, fmt.Errorf("open object %q: %w", key, err)
	}
	return f, o, nil
}

// errNotRegular is wrapped when a directory, link, FIFO or the like has an object's name.
var errNotRegular = fmt.Errorf("%w: its name is that of no regular file", store.ErrNotFound)

// openObject opens an object of a bucket's directory. Another process may write there: what is
// no regular file is no object, and no link leads out of the bucket.
func openObject(dir, name string) (*os.File, Object, error) {
	if filepath.Dir(name) == "." {
		return open(filepath.Join(dir, name))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, Object{}, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|regularOnly, 0)
	return readObject(f, linkIsNoObject(err))
}

func open(path string) (*os.File, Object, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|regularOnly, 0)
	return readObject(f, linkIsNoObject(err))
}

// readObject reads the record of a file that was opened, or not.
func readObject(f *os.File, err error) (*os.File, Object, error) {
	if err != nil {
		return nil, Object{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
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

// Delete removes an object, if it is there. check, if set, is called as PutOptions.Check is.
func (s *Store) Delete(bucket, key string, check func(old *Object) error) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	if _, err := s.bucketDir(bucket); err != nil {
		return err
	}
	l := s.lock(bucket, key)
	l.Lock()
	defer l.Unlock()
	if check != nil {
		if err := s.check(bucket, key, check); err != nil {
			return err
		}
	}
	path := s.path("buckets", bucket, fileName(key))
	account := s.accountObject(bucket, key)
	err := os.Remove(path)
	account()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	s.index.update(bucket, key, false)
	if err != nil {
		return nil
	}
	return s.syncDir(filepath.Dir(path))
}
