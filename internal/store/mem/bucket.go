package mem

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"templar/internal/store"
)

// bucket is a Server seen with one credential, which only authorize knows, so that
// it never prints.
type bucket struct {
	server    *Server
	name      string
	authorize func(write bool) error
}

// check is what every operation passes first.
func (b *bucket) check(ctx context.Context, write bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.authorize(write)
}

func (b *bucket) object(ctx context.Context, key string) (object, error) {
	if err := b.check(ctx, false); err != nil {
		return object{}, err
	}
	if err := store.CheckKey(key); err != nil {
		return object{}, err
	}
	return b.server.get(b.name, key)
}

func (b *bucket) Head(ctx context.Context, key string) (store.Info, error) {
	o, err := b.object(ctx, key)
	return o.info, err
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	o, err := b.object(ctx, key)
	if err != nil {
		return nil, store.Info{}, err
	}
	if limit >= 0 && o.info.Size > limit {
		return nil, o.info, fmt.Errorf("object %q: %d bytes, limit %d: %w", key, o.info.Size, limit, store.ErrTooLarge)
	}
	return io.NopCloser(bytes.NewReader(o.data)), o.info, nil
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	if err := store.CheckRange(offset, n); err != nil {
		return nil, err
	}
	o, err := b.object(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := store.CheckETag(key, o.info, etag); err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(o.data), offset, n)), nil
}

func (b *bucket) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	if err := b.check(ctx, false); err != nil {
		return nil, err
	}
	all, err := b.server.all(b.name)
	if err != nil {
		return nil, err
	}
	var out []store.Info
	for _, info := range all {
		if len(out) >= max {
			break
		}
		if info.Key > after && strings.HasPrefix(info.Key, prefix) {
			out = append(out, info)
		}
	}
	return out, nil
}

func (b *bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := b.check(ctx, true); err != nil {
		return store.Info{}, err
	}
	if err := store.CheckPut(key, size); err != nil {
		return store.Info{}, err
	}
	data, etag, err := read(body, size)
	if err != nil {
		return store.Info{}, fmt.Errorf("object %q: %w", key, err)
	}
	info := store.Info{Key: key, Size: size, ETag: etag}
	return b.server.put(b.name, object{info: info, data: data}, o.IfAbsent)
}

// read returns a body and its MD5.
func read(body io.ReaderAt, size int64) (data []byte, etag string, err error) {
	data = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(body, 0, size), data); err != nil {
		return nil, "", fmt.Errorf("%w: body of %d bytes: %w", store.ErrInvalid, size, err)
	}
	sum := md5.Sum(data)
	return data, hex.EncodeToString(sum[:]), nil
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := b.check(ctx, true); err != nil {
		return err
	}
	if err := store.CheckKey(key); err != nil {
		return err
	}
	return b.server.remove(b.name, key)
}
