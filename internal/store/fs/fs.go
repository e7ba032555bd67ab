// Package fs keeps objects in a directory, durably: what was acknowledged survives
// a killed process and, with Options.Fsync, a power cut; what was not leaves nothing.
//
// One object is one file that holds the data and, behind it, the object's record
// (see record.go). It is written to tmp/ and renamed into place, so that a reader
// finds the old object or the new one, each with its own record. Parts of an upload
// are files of the same form. Layout:
//
//	buckets/<bucket>/<name>=   an object, its key encoded (see names.go)
//	uploads/<id>/              an upload in parts: upload.json, data, slot-<number>,
//	                           part-<number> (see slots.go)
//	tmp/                       files being written; emptied by Open
//	layout.json                the version of all this (see Layout)
//	lock                       held by the process that serves the directory (see Lock)
//
// The keys of a bucket are in memory once it has been listed (see index.go).
//
// One process at a time may have a directory open, but for readers (Options.Shared): Lock
// sees to it.
package fs

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"templar/internal/store"
	"templar/internal/versioned"
)

// Options of Open.
type Options struct {
	// Fsync makes every acknowledged write survive a power cut, at a few
	// milliseconds a write on a real disk.
	Fsync bool
	// Now dates objects; nil is time.Now.
	Now func() time.Time
	// Shared is for reading what another process writes: nothing is made or cleared away,
	// and nothing must be written.
	Shared bool
	// BucketBytes and BucketUploads bound what each bucket may take of the disk, and its
	// unfinished uploads; 0 is no bound.
	BucketBytes   int64
	BucketUploads int
	// MinFree is the part of the disk, in bytes, that bodies leave free; 0 is no bound.
	MinFree int64
}

// Store is a directory of buckets. It is safe for concurrent use.
type Store struct {
	dir     string
	fsync   bool
	shared  bool
	now     func() time.Time
	readDir func(dir string) ([]fs.DirEntry, error) // os.ReadDir, but in tests
	index   index
	seed    maphash.Seed
	// locks serialise the writers of a key, which picks its lock by hash: a
	// condition is checked and the object replaced under one lock.
	locks [64]sync.Mutex
	// buffers of bodies on their way, each a *[chunk]byte.
	buffers sync.Pool
	slots   slotTable
	quota   quota
}

// staleUpload is the age at which Open drops an upload that nobody completed.
const staleUpload = 7 * 24 * time.Hour

// Layout is the file in a directory that has the version of the layout above and of the records of objects.
var Layout = versioned.Folder{File: versioned.File{
	Name: "layout.json", Version: 1, Remedy: "run the release that wrote it, or choose another folder",
}}

// Open opens the directory, making it if need be, and clears away what an earlier
// process left unfinished.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{dir: dir, fsync: o.Fsync, shared: o.Shared, now: o.Now, readDir: os.ReadDir, seed: maphash.MakeSeed(), quota: quota{bytes: o.BucketBytes, uploads: o.BucketUploads, minFree: o.MinFree, free: freeSpace}}
	s.buffers.New = func() any { return new([chunk]byte) }
	if o.Shared {
		return s, Layout.Check(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	if err := Layout.Enter(dir); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	if err := os.RemoveAll(s.tmp()); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	for _, d := range []string{s.path("buckets"), s.path("uploads"), s.tmp()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("open object store: %w", err)
		}
	}
	if err := s.dropUploads(s.now().Add(-staleUpload)); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	return s, s.syncDir(dir)
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *Store) tmp() string { return s.path("tmp") }

func (s *Store) lock(bucket, key string) *sync.Mutex {
	return &s.locks[maphash.String(s.seed, bucket+"/"+key)%uint64(len(s.locks))]
}

// bucketDir returns an existing bucket's directory, or an error that wraps
// store.ErrNotFound.
func (s *Store) bucketDir(name string) (string, error) {
	if err := store.CheckBucketName(name); err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	dir := s.path("buckets", name)
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("bucket %q: %w", name, store.ErrNotFound)
	case err != nil:
		return "", err
	case !info.IsDir(): // a link may lead to another bucket
		return "", fmt.Errorf("bucket %q: %w: its directory is no directory", name, store.ErrNotFound)
	}
	return dir, nil
}

// BucketInfo describes a bucket.
type BucketInfo struct {
	Name    string
	Created time.Time
}

// Buckets lists the buckets by name.
func (s *Store) Buckets() ([]BucketInfo, error) {
	entries, err := os.ReadDir(s.path("buckets"))
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	var out []BucketInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() {
			out = append(out, BucketInfo{Name: e.Name(), Created: info.ModTime()})
		}
	}
	return out, nil
}

// HasBucket tells whether the bucket is there.
func (s *Store) HasBucket(name string) bool {
	_, err := s.bucketDir(name)
	return err == nil
}

// CreateBucket makes a bucket. Its error wraps store.ErrExists when it is there
// already.
func (s *Store) CreateBucket(name string) error {
	if err := store.CheckBucketName(name); err != nil {
		return err
	}
	err := os.Mkdir(s.path("buckets", name), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("bucket %q: %w", name, store.ErrExists)
	}
	if err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}
	return s.syncDir(s.path("buckets"))
}

// ErrNotEmpty is wrapped when a bucket that holds objects is to be removed.
var ErrNotEmpty = errors.New("bucket is not empty")

// DeleteBucket removes an empty bucket.
func (s *Store) DeleteBucket(name string) error {
	dir, err := s.bucketDir(name)
	if err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil {
		for _, listErr := range s.Keys(name, "", "") {
			if listErr == nil {
				return fmt.Errorf("bucket %q: %w", name, ErrNotEmpty)
			}
		}
		return fmt.Errorf("delete bucket: %w", err)
	}
	return s.syncDir(s.path("buckets"))
}

// syncDir makes the names in dir durable.
func (s *Store) syncDir(dir string) error {
	if !s.fsync {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
