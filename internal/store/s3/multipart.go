package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"templar/internal/store"
)

// maxPage is how many uploads or parts one listing shows.
const maxPage = 1000

func (b *bucket) CreateUpload(ctx context.Context, key string) (store.Upload, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Upload{}, err
	}
	ctx, c, err := b.begin(ctx, "create upload", key, 0)
	if err != nil {
		return store.Upload{}, err
	}
	defer c.end()
	id, err := c.NewMultipartUpload(ctx, b.name, key, condition(store.PutOptions{}))
	if err != nil {
		return store.Upload{}, c.check(ctx, err)
	}
	return store.Upload{Key: key, ID: id}, nil
}

func (b *bucket) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	ctx, c, err := b.begin(ctx, "list uploads", prefix, maxListBody)
	if err != nil {
		return nil, err
	}
	defer c.end()
	page, err := c.ListMultipartUploads(ctx, b.name, prefix, "", "", "", maxPage)
	if err != nil {
		return nil, c.check(ctx, err)
	}
	var out []store.Upload
	for _, u := range page.Uploads {
		out = append(out, store.Upload{Key: u.Key, ID: u.UploadID, Initiated: u.Initiated.UTC()})
	}
	return out, nil
}

func (b *bucket) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if err := errors.Join(store.CheckKey(u.Key), store.CheckPart(number, size)); err != nil {
		return store.Part{}, err
	}
	ctx, c, err := b.begin(ctx, fmt.Sprint("put part ", number), u.Key, size)
	if err != nil {
		return store.Part{}, err
	}
	defer c.end()
	var p minio.ObjectPart
	err = c.send(ctx, &b.parts, body, size, func(d digest) (echo string, err error) {
		opts := minio.PutObjectPartOptions{Md5Base64: d.md5Base64, Sha256Hex: d.sha256Hex, DisableContentSha256: true}
		if d.crc32c != "" {
			opts.CustomHeader = http.Header{crc32cHeader: {d.crc32c}}
		}
		p, err = c.PutObjectPart(ctx, b.name, u.Key, u.ID, number, io.NewSectionReader(body, 0, size), size, opts)
		return p.ChecksumCRC32C, err
	})
	if err != nil {
		return store.Part{}, err
	}
	return store.Part{Number: number, Size: size, ETag: p.ETag}, c.checkETag(p.ETag)
}

func (b *bucket) Parts(ctx context.Context, u store.Upload) ([]store.Part, error) {
	if err := store.CheckKey(u.Key); err != nil {
		return nil, err
	}
	ctx, c, err := b.begin(ctx, "list parts", u.Key, maxListBody)
	if err != nil {
		return nil, err
	}
	defer c.end()
	var out []store.Part
	for {
		page, err := c.ListObjectParts(ctx, b.name, u.Key, u.ID, lastNumber(out), maxPage)
		if err != nil {
			return nil, c.check(ctx, err)
		}
		for _, p := range page.ObjectParts {
			if p.PartNumber <= lastNumber(out) || p.PartNumber > store.MaxParts {
				return nil, fmt.Errorf("list parts %s/%s: %w: part %d after %d", b.place, u.Key, store.ErrInvalid, p.PartNumber, lastNumber(out))
			}
			out = append(out, store.Part{Number: p.PartNumber, Size: p.Size, ETag: strings.Trim(p.ETag, `"`)})
		}
		if !page.IsTruncated || len(page.ObjectParts) == 0 {
			return out, nil
		}
	}
}

func lastNumber(parts []store.Part) int {
	if len(parts) == 0 {
		return 0
	}
	return parts[len(parts)-1].Number
}

func (b *bucket) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	if err := errors.Join(store.CheckKey(u.Key), store.CheckParts(parts)); err != nil {
		return store.Info{}, err
	}
	var size int64
	var joined []minio.CompletePart
	for _, p := range parts {
		size += p.Size
		joined = append(joined, minio.CompletePart{PartNumber: p.Number, ETag: p.ETag})
	}
	ctx, c, err := b.begin(ctx, "complete upload", u.Key, 0)
	if err != nil {
		return store.Info{}, err
	}
	defer c.end()
	done, err := c.CompleteMultipartUpload(ctx, b.name, u.Key, u.ID, joined, condition(o))
	if err != nil {
		return store.Info{}, c.check(ctx, err)
	}
	return store.Info{Key: u.Key, Size: size, ETag: done.ETag}, c.checkETag(done.ETag)
}

func (b *bucket) AbortUpload(ctx context.Context, u store.Upload) error {
	if err := store.CheckKey(u.Key); err != nil {
		return err
	}
	ctx, c, err := b.begin(ctx, "abort upload", u.Key, 0)
	if err != nil {
		return err
	}
	defer c.end()
	err = c.AbortMultipartUpload(ctx, b.name, u.Key, u.ID)
	if r := minio.ToErrorResponse(err); r.StatusCode == http.StatusNotFound && r.Code == minio.NoSuchUpload {
		return nil
	}
	return c.check(ctx, err)
}
