package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"templar/internal/store"
)

// Bucket is one bucket behind the port, for use without a server in between. There
// are no keys: who may read the directory may do everything.
func (s *Store) Bucket(name string) store.Bucket { return &bucket{store: s, name: name} }

type bucket struct {
	store *Store
	name  string
}

func (b *bucket) Head(ctx context.Context, key string) (store.Info, error) {
	if err := ctx.Err(); err != nil {
		return store.Info{}, err
	}
	o, err := b.store.Stat(b.name, key)
	return info(o), err
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	f, o, err := b.open(ctx, key)
	if err != nil {
		return nil, store.Info{}, err
	}
	if limit >= 0 && o.Size > limit {
		f.Close()
		return nil, info(o), fmt.Errorf("object %q: %d bytes, limit %d: %w", key, o.Size, limit, store.ErrTooLarge)
	}
	return Section(f, 0, o.Size), info(o), nil
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	if err := store.CheckRange(offset, n); err != nil {
		return nil, err
	}
	f, o, err := b.open(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := store.CheckETag(key, info(o), etag); err != nil {
		f.Close()
		return nil, err
	}
	offset = min(offset, o.Size)
	return Section(f, offset, min(n, o.Size-offset)), nil
}

func (b *bucket) open(ctx context.Context, key string) (*os.File, Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, Object{}, err
	}
	return b.store.Open(b.name, key)
}

func (b *bucket) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []store.Info
	for key, err := range b.store.Keys(b.name, prefix, after) {
		if err != nil {
			return nil, err
		}
		if len(out) >= max {
			break
		}
		o, err := b.store.Stat(b.name, key)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, info(o))
	}
	return out, nil
}

func (b *bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := store.CheckPut(key, size); err != nil {
		return store.Info{}, err
	}
	obj, err := b.store.Put(ctx, b.name, key, io.NewSectionReader(body, 0, size), size, condition(key, o))
	return info(obj), refine(err)
}

// condition is o in the Store's terms.
func condition(key string, o store.PutOptions) PutOptions {
	if !o.IfAbsent {
		return PutOptions{}
	}
	return PutOptions{Check: func(old *Object) error {
		if old != nil {
			return fmt.Errorf("object %q: %w", key, store.ErrExists)
		}
		return nil
	}}
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.store.Delete(b.name, key, nil)
}

func info(o Object) store.Info {
	return store.Info{Key: o.Key, Size: o.Size, LastModified: o.Modified.Truncate(time.Millisecond), ETag: o.Tag()}
}

// Section reads n bytes of f from offset on, and closes f. It copies to a network
// connection within the kernel.
func Section(f *os.File, offset, n int64) io.ReadCloser {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return errBody{f, err}
	}
	return &section{LimitedReader: io.LimitedReader{R: f, N: n}, file: f}
}

type section struct {
	io.LimitedReader
	file *os.File
}

// WriteTo shows w the plain LimitedReader of a file, which is what sendfile needs.
func (s *section) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &s.LimitedReader) }

func (s *section) Close() error { return s.file.Close() }

type errBody struct {
	io.Closer
	err error
}

func (e errBody) Read([]byte) (int, error) { return 0, e.err }
