package fs

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
)

// index has the keys of each bucket in order, so that a page of a listing costs what it
// returns and not what the bucket holds: the objects of a bucket are files of one directory,
// in no order. That is read when somebody first lists the bucket; from then on the Store,
// which alone writes to it, tells of what comes and goes.
type index struct {
	mu struct {
		sync.Mutex
		buckets map[string]*keyList
	}
}

// keyList is the keys of one bucket.
type keyList struct {
	mu struct {
		sync.RWMutex
		read bool // from the directory
		keys []string
	}
}

// of returns the keys of a bucket, and with create those of one that nobody has listed yet.
func (x *index) of(bucket string, create bool) *keyList {
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.mu.buckets[bucket]
	if l == nil && create {
		if l = new(keyList); x.mu.buckets == nil {
			x.mu.buckets = map[string]*keyList{}
		}
		x.mu.buckets[bucket] = l
	}
	return l
}

// update learns that key is in the bucket now, or no more. A key is listed only if it is an
// object still, so that it may be told of too often, but never too seldom or too late: after
// the file has its name, and before the writer's caller is answered.
func (x *index) update(bucket, key string, there bool) {
	l := x.of(bucket, false)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mu.read {
		return
	}
	i, found := slices.BinarySearch(l.mu.keys, key)
	switch {
	case there && !found:
		l.mu.keys = slices.Insert(l.mu.keys, i, key)
	case !there && found:
		l.mu.keys = slices.Delete(l.mu.keys, i, i+1)
	}
}

// fill reads the keys that begin with prefix from the bucket's directory, once.
func (l *keyList) fill(s *Store, dir, prefix string) error {
	l.mu.RLock()
	read := l.mu.read
	l.mu.RUnlock()
	if read {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.read {
		return nil
	}
	keys, err := s.readKeys(nil, dir, "", prefix)
	if err != nil {
		return err
	}
	slices.Sort(keys)
	l.mu.keys, l.mu.read = keys, true
	return nil
}

// page returns up to n keys that begin with prefix, after the key `after`.
func (l *keyList) page(prefix, after string, n int) []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i, found := slices.BinarySearch(l.mu.keys, max(prefix, after))
	if found && after >= prefix {
		i++
	}
	end := i
	for end < len(l.mu.keys) && end-i < n && strings.HasPrefix(l.mu.keys[end], prefix) {
		end++
	}
	return slices.Clone(l.mu.keys[i:end])
}

// Keys yields the keys that begin with prefix, in ascending order, after the key `after`.
// After an error there is nothing more. What comes or goes meanwhile may be among them or not.
func (s *Store) Keys(bucket, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		l, err := s.keyList(bucket, prefix)
		if err != nil {
			yield("", err)
			return
		}
		const page = 128
		for {
			keys := l.page(prefix, after, page)
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
			}
			if len(keys) < page {
				return
			}
			after = keys[page-1]
		}
	}
}

// keyList returns a bucket's keys, or those with prefix: a shared directory, which others
// write to, is read each time.
func (s *Store) keyList(bucket, prefix string) (*keyList, error) {
	dir, err := s.bucketDir(bucket)
	if err != nil {
		return nil, err
	}
	l := new(keyList)
	if !s.shared {
		l, prefix = s.index.of(bucket, true), ""
	}
	if err := l.fill(s, dir, prefix); err != nil {
		return nil, fmt.Errorf("list bucket %q: %w", bucket, err)
	}
	return l, nil
}
