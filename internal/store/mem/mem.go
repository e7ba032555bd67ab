// Package mem keeps objects in memory, behind the same port and with the same
// rights as the embedded S3 server: for tests and for the simulator.
package mem

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"templar/internal/store"
)

// Server holds buckets. It is safe for concurrent use.
type Server struct {
	now  func() time.Time
	keys store.Keyring

	mu struct {
		sync.RWMutex
		buckets map[string]map[string]object
		uploads map[string]*upload // by id
		begun   int                // uploads so far
	}
}

// object is immutable: an overwrite replaces it, and readers keep what they opened.
type object struct {
	info store.Info
	data []byte
}

var _ store.Dialer = (*Server)(nil)

// New makes an empty server whose LastModified times come from now.
func New(now func() time.Time) *Server {
	s := &Server{now: now}
	s.mu.buckets = make(map[string]map[string]object)
	s.mu.uploads = make(map[string]*upload)
	return s
}

// CreateBucket makes an empty bucket. Its error wraps store.ErrExists or ErrInvalid.
func (s *Server) CreateBucket(name string) error {
	if err := store.CheckBucketName(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.buckets[name]; ok {
		return fmt.Errorf("bucket %q: %w", name, store.ErrExists)
	}
	s.mu.buckets[name] = make(map[string]object)
	return nil
}

// AddKeys makes the keys valid.
func (s *Server) AddKeys(keys ...store.Key) error { return s.keys.Add(keys...) }

// Dial opens the bucket. Endpoint and region are not looked at; rights are checked
// by each operation, as a real server does.
func (s *Server) Dial(l store.Location) (store.Bucket, error) {
	if err := store.CheckBucketName(l.Bucket); err != nil {
		return nil, err
	}
	return &bucket{server: s, name: l.Bucket, authorize: func(write bool) error {
		return s.keys.Authorize(l.AccessKey, l.Secret, l.Bucket, write)
	}}, nil
}

func (s *Server) get(bucket, key string) (object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	objects, ok := s.mu.buckets[bucket]
	if !ok {
		return object{}, errNoBucket(bucket)
	}
	o, ok := objects[key]
	if !ok {
		return object{}, fmt.Errorf("object %q: %w", key, store.ErrNotFound)
	}
	return o, nil
}

// all returns every object's Info in ascending key order.
func (s *Server) all(bucket string) ([]store.Info, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	objects, ok := s.mu.buckets[bucket]
	if !ok {
		return nil, errNoBucket(bucket)
	}
	infos := make([]store.Info, 0, len(objects))
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		infos = append(infos, objects[key].info)
	}
	return infos, nil
}

// put stores o, dated inside the lock so that times of one key never go back.
func (s *Server) put(bucket string, o object, ifAbsent bool) (store.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putLocked(bucket, o, ifAbsent)
}

func (s *Server) putLocked(bucket string, o object, ifAbsent bool) (store.Info, error) {
	objects, ok := s.mu.buckets[bucket]
	if !ok {
		return store.Info{}, errNoBucket(bucket)
	}
	if _, taken := objects[o.info.Key]; taken && ifAbsent {
		return store.Info{}, fmt.Errorf("object %q: %w", o.info.Key, store.ErrExists)
	}
	o.info.LastModified = s.now().UTC().Truncate(time.Millisecond)
	objects[o.info.Key] = o
	return o.info, nil
}

func (s *Server) remove(bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, ok := s.mu.buckets[bucket]
	if !ok {
		return errNoBucket(bucket)
	}
	delete(objects, key)
	return nil
}

func errNoBucket(name string) error {
	return fmt.Errorf("bucket %q: %w", name, store.ErrNotFound)
}
