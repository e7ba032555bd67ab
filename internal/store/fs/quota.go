package fs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// QuotaError says that a bucket has taken all that it may.
type QuotaError struct {
	Bucket string
	Bytes  int64 // that it may take, or
	Count  int   // the unfinished uploads that it may have
	Disk   bool  // it is the disk that has no room
}

func (e *QuotaError) Error() string {
	if e.Disk {
		return "the server's disk is nearly full"
	}
	if e.Count > 0 {
		return fmt.Sprintf("bucket %q has %d unfinished uploads, all that it may: complete or abort some", e.Bucket, e.Count)
	}
	return fmt.Sprintf("bucket %q may hold %d bytes, unfinished uploads included: delete something first", e.Bucket, e.Bytes)
}

// quota counts what buckets take, if there are bounds to hold it against. A bucket is counted
// on disk when it is first written to; from then on the Store, which alone writes, keeps count.
type quota struct {
	bytes   int64
	uploads int
	minFree int64
	free    func(dir string) (bytes int64, ok bool)

	mu struct {
		sync.Mutex
		used map[string]*used
	}
}

// used is what one bucket takes.
type used struct {
	bytes   int64            // of objects and parts, and reserved for bodies on their way
	uploads map[string]int64 // bytes of each unfinished upload
}

func (q *quota) none() bool { return q.bytes == 0 && q.uploads == 0 }

// with calls do with a bucket's count.
func (s *Store) with(bucket string, do func(*used) error) error {
	if s.quota.none() {
		return nil
	}
	s.quota.mu.Lock()
	defer s.quota.mu.Unlock()
	u := s.quota.mu.used[bucket]
	if u == nil {
		var err error
		if u, err = s.count(bucket); err != nil {
			return err
		}
		if s.quota.mu.used == nil {
			s.quota.mu.used = map[string]*used{}
		}
		s.quota.mu.used[bucket] = u
	}
	return do(u)
}

// count looks at the disk.
func (s *Store) count(bucket string) (*used, error) {
	u := &used{uploads: map[string]int64{}}
	size, err := treeSize(s.path("buckets", bucket))
	if err != nil {
		return nil, fmt.Errorf("count bucket %q: %w", bucket, err)
	}
	u.bytes = size
	all, err := s.Uploads(bucket)
	if err != nil {
		return nil, err
	}
	for _, up := range all {
		parts, err := s.Parts(up)
		if err != nil {
			return nil, err
		}
		u.uploads[up.ID] = 0
		for _, p := range parts {
			u.uploads[up.ID] += p.Size
			u.bytes += p.Size
		}
	}
	return u, nil
}

// Share is what each of n buckets in a folder may take if they share the disk: what they take now,
// and what is free. It is 0, no bound, where that cannot be known.
func Share(dir string, n int) (int64, error) {
	free, ok := freeSpace(dir)
	if !ok || n == 0 {
		return 0, nil
	}
	used, err := treeSize(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("store: %w", err)
	}
	return max(1, (used+free)/int64(n)), nil
}

func treeSize(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// reserve makes sure that there is room for a body, and keeps it until release.
func (s *Store) reserve(bucket string, size int64) (release func(), err error) {
	size = max(0, size)
	if s.quota.minFree > 0 {
		if free, ok := s.quota.free(s.dir); ok && free-size < s.quota.minFree {
			return func() {}, &QuotaError{Bucket: bucket, Disk: true}
		}
	}
	err = s.with(bucket, func(u *used) error {
		if s.quota.bytes > 0 && size > s.quota.bytes-u.bytes {
			return &QuotaError{Bucket: bucket, Bytes: s.quota.bytes}
		}
		u.bytes += size
		return nil
	})
	return func() {
		if err == nil {
			_ = s.with(bucket, func(u *used) error { u.bytes -= size; return nil })
		}
	}, err
}

// accountObject looks at an object's file now, and again when the result is called: the
// difference is counted. The caller has the key's lock.
func (s *Store) accountObject(bucket, key string) (done func()) {
	if s.quota.none() {
		return func() {}
	}
	size := func() int64 {
		info, err := os.Lstat(s.path("buckets", bucket, fileName(key)))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	_ = s.with(bucket, func(*used) error { return nil }) // counted before it changes
	before := size()
	return func() {
		_ = s.with(bucket, func(u *used) error { u.bytes += size() - before; return nil })
	}
}

// admitUpload refuses one upload too many.
func (s *Store) admitUpload(bucket string) error {
	return s.with(bucket, func(u *used) error {
		if s.quota.uploads > 0 && len(u.uploads) >= s.quota.uploads {
			return &QuotaError{Bucket: bucket, Count: s.quota.uploads}
		}
		return nil
	})
}

// accountPart counts a part. One that is sent again counts twice until the upload ends.
func (s *Store) accountPart(up Upload, size int64) {
	_ = s.with(up.Bucket, func(u *used) error {
		u.uploads[up.ID] += size
		u.bytes += size
		return nil
	})
}

// accountEnd forgets an upload's parts.
func (s *Store) accountEnd(up Upload) {
	_ = s.with(up.Bucket, func(u *used) error {
		u.bytes -= u.uploads[up.ID]
		delete(u.uploads, up.ID)
		return nil
	})
}
