package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"templar/internal/store"
)

// bucket finds its client anew for each call. The secret is in make only, so that it
// never prints.
type bucket struct {
	dialer *Dialer
	name   string
	place  string // endpoint and name, for errors
	id     clientID
	make   func() (*client, error)

	puts, parts trust // in the store's check of bodies
}

func (b *bucket) Head(ctx context.Context, key string) (store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Info{}, err
	}
	ctx, c, err := b.begin(ctx, "head", key, 0)
	if err != nil {
		return store.Info{}, err
	}
	defer c.end()
	o, err := c.StatObject(ctx, b.name, key, minio.StatObjectOptions{})
	if minio.ToErrorResponse(err).StatusCode == http.StatusForbidden {
		return b.headByGet(ctx, key)
	}
	if err != nil {
		return store.Info{}, c.check(ctx, err)
	}
	return info(key, o), nil
}

// headByGet asks again in a way that is answered with a code: an answer to HEAD has no body,
// and 403 alone does not tell a key that is not known from one that lacks the right.
func (b *bucket) headByGet(ctx context.Context, key string) (store.Info, error) {
	body, info, err := b.Get(ctx, key, -1)
	if err != nil {
		return store.Info{}, err
	}
	return info, body.Close()
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, store.Info{}, err
	}
	ctx, c, err := b.begin(ctx, "get", key, 0)
	if err != nil {
		return nil, store.Info{}, err
	}
	r, o, _, err := c.GetObject(ctx, b.name, key, minio.GetObjectOptions{})
	if err != nil {
		defer c.end()
		return nil, store.Info{}, c.check(ctx, err)
	}
	body := c.body(ctx, r, o.Size)
	// Without a length a body that is cut off looks whole.
	if o.Size < 0 {
		body.Close()
		return nil, store.Info{}, fmt.Errorf("get %s/%s: %w: the server announces no length", b.place, key, store.ErrInvalid)
	}
	if limit >= 0 && o.Size > limit {
		body.Close()
		return nil, info(key, o), fmt.Errorf("get %s/%s: %d bytes, limit %d: %w", b.place, key, o.Size, limit, store.ErrTooLarge)
	}
	return body, info(key, o), nil
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	if err := errors.Join(store.CheckKey(key), store.CheckRange(offset, n)); err != nil {
		return nil, err
	}
	var o minio.GetObjectOptions
	if err := o.SetRange(offset, offset+n-1); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	if etag != "" {
		if err := o.SetMatchETag(etag); err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
	}
	ctx, c, err := b.begin(ctx, "get range", key, 0)
	if err != nil {
		return nil, err
	}
	r, got, header, err := c.GetObject(ctx, b.name, key, o)
	if err != nil {
		defer c.end()
		switch minio.ToErrorResponse(err).StatusCode {
		case http.StatusRequestedRangeNotSatisfiable:
			return io.NopCloser(bytes.NewReader(nil)), nil // begins at or after the end
		case http.StatusPreconditionFailed:
			return nil, fmt.Errorf("get range %s/%s: %w", b.place, key, store.ErrChanged)
		}
		return nil, c.check(ctx, err)
	}
	body := c.body(ctx, r, got.Size)
	// A server that ignores If-Match or Range would hand out the wrong bytes.
	if err := store.CheckETag(key, info(key, got), etag); err != nil {
		body.Close()
		return nil, fmt.Errorf("get range %s/%s: %w", b.place, key, err)
	}
	if got.Size < 0 || got.Size > n || !strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)) {
		body.Close()
		return nil, fmt.Errorf("get range %s/%s: %w: the server does not honour ranges", b.place, key, store.ErrInvalid)
	}
	return body, nil
}

func (b *bucket) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	if err := ctx.Err(); err != nil || max <= 0 {
		return nil, err
	}
	ctx, c, err := b.begin(ctx, "list", prefix, maxListBody)
	if err != nil {
		return nil, err
	}
	defer c.end()
	var out []store.Info
	noOwner := false
	for o := range c.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{
		Prefix: prefix, StartAfter: after, Recursive: true, MaxKeys: min(max, 1000), FetchOwner: &noOwner,
	}) {
		if o.Err != nil {
			return nil, c.check(ctx, o.Err)
		}
		// The order is the caller's to rely on, whatever the server does.
		if last := lastKey(out, after); o.Key <= last {
			return nil, fmt.Errorf("list %s/%s: %w: key %.64q after %.64q", b.place, prefix, store.ErrInvalid, o.Key, last)
		}
		if out = append(out, info(o.Key, o)); len(out) == max {
			return out, nil
		}
	}
	return out, c.check(ctx, ctx.Err()) // the iterator ends silently when ctx does
}

func lastKey(infos []store.Info, before string) string {
	if len(infos) == 0 {
		return before
	}
	return infos[len(infos)-1].Key
}

func (b *bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := store.CheckPut(key, size); err != nil {
		return store.Info{}, err
	}
	ctx, c, err := b.begin(ctx, "put", key, size)
	if err != nil {
		return store.Info{}, err
	}
	defer c.end()
	var u minio.UploadInfo
	err = c.send(ctx, &b.puts, body, size, func(d digest) (echo string, err error) {
		opts := condition(o)
		if d.crc32c != "" {
			opts.UserMetadata = map[string]string{crc32cHeader: d.crc32c}
		}
		u, err = c.PutObject(ctx, b.name, key, io.NewSectionReader(body, 0, size), size, d.md5Base64, d.sha256Hex, opts)
		return u.ChecksumCRC32C, err
	})
	if err != nil {
		return store.Info{}, err
	}
	return store.Info{Key: key, Size: size, ETag: u.ETag}, c.checkETag(u.ETag)
}

func condition(o store.PutOptions) minio.PutObjectOptions {
	opts := minio.PutObjectOptions{DisableContentSha256: true, ContentType: "application/octet-stream"}
	if o.IfAbsent {
		opts.SetMatchETagExcept("*")
	}
	return opts
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	ctx, c, err := b.begin(ctx, "delete", key, 0)
	if err != nil {
		return err
	}
	defer c.end()
	return c.check(ctx, c.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{}))
}

func info(key string, o minio.ObjectInfo) store.Info {
	return store.Info{Key: key, Size: o.Size, ETag: o.ETag, LastModified: o.LastModified.UTC().Truncate(time.Millisecond)}
}
