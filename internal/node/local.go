package node

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/protocol"
)

// Buckets opens buckets where their endpoint says: in a store, by the back end for the
// endpoint's scheme, or in a directory of this machine. Each bucket has its own directory, since one
// process at a time may write to it.
type Buckets struct {
	stores map[string]StoreConn
}

// Buckets returns what opens buckets. Close it when they are no longer used.
func (b *Backends) Buckets() *Buckets {
	stores := make(map[string]StoreConn)
	for scheme, open := range b.Stores {
		stores[scheme] = open()
	}
	return &Buckets{stores: stores}
}

// Close ends all connections.
func (d *Buckets) Close() error {
	var errs []error
	for _, s := range d.stores {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Dial opens a bucket to read, without checking that it exists. In a store, its key may
// write too; in a directory it takes no lock, and nothing may be written.
func (d *Buckets) Dial(l store.Location) (store.Bucket, error) {
	dir, err := bucketDir(l)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return d.dialRemote(l)
	}
	files, err := fs.Open(dir, fs.Options{Shared: true})
	if err != nil {
		return nil, err
	}
	return files.Bucket(l.Bucket), nil
}

// DialOwn opens a bucket to write to. A bucket in a directory is created if necessary, and is
// locked by this process until release.
func (d *Buckets) DialOwn(l store.Location) (b store.Bucket, release func(), err error) {
	dir, err := bucketDir(l)
	if err != nil {
		return nil, nil, err
	}
	if dir == "" {
		b, err = d.dialRemote(l)
		return b, func() {}, err
	}
	return openDirectory(dir, l.Bucket)
}

func (d *Buckets) dialRemote(l store.Location) (store.Bucket, error) {
	scheme, _, _ := strings.Cut(l.Endpoint, "://")
	s, ok := d.stores[scheme]
	if !ok {
		return nil, fmt.Errorf("bucket %q: want an endpoint that begins with %s:// or file://", l.Bucket, strings.Join(slices.Sorted(maps.Keys(d.stores)), "://, "))
	}
	return s.Dial(l)
}

// bucketDir returns the directory of a bucket of this machine, "" for any other.
func bucketDir(l store.Location) (dir string, err error) {
	root, local := protocol.LocalStore(l.Endpoint)
	if !local {
		return "", nil
	}
	return filepath.Join(root, l.Bucket), store.CheckBucketName(l.Bucket)
}

// openDirectory opens a directory to write to one bucket in it, which is created if necessary, and
// locks it against other processes until release.
func openDirectory(dir, bucket string) (b store.Bucket, release func(), err error) {
	release, err = fs.Lock(dir)
	if err != nil {
		return nil, nil, err
	}
	files, err := fs.Open(dir, fs.Options{Fsync: true})
	if err == nil {
		if err = files.CreateBucket(bucket); err == nil || errors.Is(err, store.ErrExists) {
			return files.Bucket(bucket), release, nil
		}
		err = fmt.Errorf("%s: %w", dir, err)
	}
	release()
	return nil, nil, err
}
