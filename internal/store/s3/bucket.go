package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"templar/internal/store"
)

// maxMD5 is the size up to which a body's checksum is Content-MD5, which every S3
// server checks. Larger bodies are signed with their SHA-256, which is faster.
const maxMD5 = 8 << 20

type bucket struct {
	client *minio.Core
	name   string
}

func (b *bucket) Head(ctx context.Context, key string) (store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Info{}, err
	}
	o, err := b.client.StatObject(ctx, b.name, key, minio.StatObjectOptions{})
	if err != nil {
		return store.Info{}, wrap("head", b.name, key, err)
	}
	return info(key, o), nil
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, store.Info{}, err
	}
	body, o, _, err := b.client.GetObject(ctx, b.name, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, store.Info{}, wrap("get", b.name, key, err)
	}
	// Without a length a body that is cut off looks whole.
	if o.Size < 0 {
		body.Close()
		return nil, store.Info{}, fmt.Errorf("get %s/%s: %w: the server announces no length", b.name, key, store.ErrInvalid)
	}
	if limit >= 0 && o.Size > limit {
		body.Close()
		return nil, info(key, o), fmt.Errorf("get %s/%s: %d bytes, limit %d: %w", b.name, key, o.Size, limit, store.ErrTooLarge)
	}
	return body, info(key, o), nil
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	if err := errors.Join(store.CheckKey(key), store.CheckRange(offset, n)); err != nil {
		return nil, err
	}
	var o minio.GetObjectOptions
	if err := o.SetRange(offset, offset+n-1); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	body, got, header, err := b.client.GetObject(ctx, b.name, key, o)
	if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return io.NopCloser(bytes.NewReader(nil)), nil // begins at or after the end
	}
	if err != nil {
		return nil, wrap("get range", b.name, key, err)
	}
	// A server that ignores Range would hand out the wrong bytes.
	if got.Size < 0 || got.Size > n || header.Get("Content-Range") == "" {
		body.Close()
		return nil, fmt.Errorf("get range %s/%s: %w: the server does not honour ranges", b.name, key, store.ErrInvalid)
	}
	return body, nil
}

func (b *bucket) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	if err := ctx.Err(); err != nil || max <= 0 {
		return nil, err
	}
	var out []store.Info
	noOwner := false
	for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{
		Prefix: prefix, StartAfter: after, Recursive: true, MaxKeys: min(max, 1000), FetchOwner: &noOwner,
	}) {
		if o.Err != nil {
			return nil, wrap("list", b.name, prefix, o.Err)
		}
		// The order is the caller's to rely on, whatever the server does.
		if last := lastKey(out, after); o.Key <= last {
			return nil, fmt.Errorf("list %s/%s: %w: key %.64q after %.64q", b.name, prefix, store.ErrInvalid, o.Key, last)
		}
		if out = append(out, info(o.Key, o)); len(out) == max {
			return out, nil
		}
	}
	return out, ctx.Err() // the iterator ends silently when ctx does
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
	md5Base64, sha256Hex, err := checksum(body, size)
	if err != nil {
		return store.Info{}, fmt.Errorf("put %s/%s: %w: body of %d bytes: %w", b.name, key, store.ErrInvalid, size, err)
	}
	opts := minio.PutObjectOptions{DisableContentSha256: true, ContentType: "application/octet-stream"}
	if o.IfAbsent {
		opts.SetMatchETagExcept("*")
	}
	u, err := b.client.PutObject(ctx, b.name, key, io.NewSectionReader(body, 0, size), size, md5Base64, sha256Hex, opts)
	if err != nil {
		return store.Info{}, wrap("put", b.name, key, err)
	}
	return store.Info{Key: key, Size: size, ETag: u.ETag}, nil
}

// checksum returns the digest that goes with a body: one of the two.
func checksum(body io.ReaderAt, size int64) (md5Base64, sha256Hex string, err error) {
	var h hash.Hash
	if size <= maxMD5 {
		h = md5.New()
	} else {
		h = sha256.New()
	}
	n, err := io.Copy(h, io.NewSectionReader(body, 0, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if size <= maxMD5 {
		return base64.StdEncoding.EncodeToString(h.Sum(nil)), "", err
	}
	return "", hex.EncodeToString(h.Sum(nil)), err
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	return wrap("delete", b.name, key, b.client.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{}))
}

func info(key string, o minio.ObjectInfo) store.Info {
	return store.Info{Key: key, Size: o.Size, ETag: o.ETag, LastModified: o.LastModified.UTC().Truncate(time.Second)}
}
