package node

import (
	"errors"
	"fmt"
	"path/filepath"

	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/protocol"
)

// dialer opens buckets where their endpoint says: in S3 stores, or in directories of this
// machine, which it only reads. A bucket has its directory to itself, since one process at
// a time may write to it.
type dialer struct {
	remote  store.Dialer
	traffic *store.Counters
	disturb func(store.Bucket) store.Bucket // nil: leave it as it is
}

// Dial opens a bucket without asking whether it is there.
func (d dialer) Dial(l store.Location) (store.Bucket, error) {
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

// DialOwn opens a bucket that this node writes to. One in a directory is made if need be, and
// is the node's alone until release.
func (d dialer) DialOwn(l store.Location) (b store.Bucket, release func(), err error) {
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

func (d dialer) dialRemote(l store.Location) (store.Bucket, error) {
	b, err := d.remote.Dial(l)
	if err != nil {
		return nil, err
	}
	b = store.Meter(b, d.traffic)
	if d.disturb != nil {
		b = d.disturb(b)
	}
	return b, nil
}

// bucketDir returns the directory of a bucket of this machine, "" for any other.
func bucketDir(l store.Location) (dir string, err error) {
	root, local := protocol.LocalStore(l.Endpoint)
	if !local {
		return "", nil
	}
	return filepath.Join(root, l.Bucket), store.CheckBucketName(l.Bucket)
}

// openDirectory opens a directory to write to one bucket in it, which is made if need be, and
// keeps other processes that would write there out until release.
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
