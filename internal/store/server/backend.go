package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/rclone/gofakes3"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// backend shows an fs.Store to gofakes3.
type backend struct {
	files *fs.Store
	log   *slog.Logger
}

var _ gofakes3.Backend = (*backend)(nil)

func (b *backend) err(bucket, key string, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return s3Error(b.log, err)
	}
	if key == "" || !b.files.HasBucket(bucket) {
		return gofakes3.BucketNotFound(bucket)
	}
	return gofakes3.KeyNotFound(key)
}

const lastModified = "Last-Modified"

func object(o fs.Object, body io.ReadCloser) *gofakes3.Object {
	header := map[string]string{lastModified: o.Modified.Format(http.TimeFormat)}
	for k, v := range o.Header {
		header[k] = v
	}
	return &gofakes3.Object{Name: o.Key, Metadata: header, Size: o.Size, Hash: o.ETag, Contents: body}
}

func quote(etag []byte) string { return `"` + hex.EncodeToString(etag) + `"` }

func (b *backend) ListBuckets(context.Context) ([]gofakes3.BucketInfo, error) {
	buckets, err := b.files.Buckets()
	if err != nil {
		return nil, s3Error(b.log, err)
	}
	var out []gofakes3.BucketInfo
	for _, i := range buckets {
		out = append(out, gofakes3.BucketInfo{Name: i.Name, CreationDate: gofakes3.NewContentTime(i.Created)})
	}
	return out, nil
}

func (b *backend) BucketExists(_ context.Context, name string) (bool, error) {
	return b.files.HasBucket(name), nil
}

func (b *backend) CreateBucket(_ context.Context, name string) error {
	return b.err(name, "", b.files.CreateBucket(name))
}

func (b *backend) DeleteBucket(_ context.Context, name string) error {
	return b.err(name, "", b.files.DeleteBucket(name))
}

// ListBucket does its own matching: gofakes3's takes the empty delimiter that
// clients send for one between all characters.
func (b *backend) ListBucket(_ context.Context, bucket string, p *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	if p == nil {
		p = &gofakes3.Prefix{}
	}
	list, last, n := gofakes3.NewObjectList(), "", int64(0)
	for key, err := range b.files.Keys(bucket, p.Prefix, page.Marker) {
		if err != nil {
			return nil, b.err(bucket, "", err)
		}
		folder := commonPrefix(key, p.Prefix, p.Delimiter)
		switch {
		case page.HasMarker && folder != "" && folder == commonPrefix(page.Marker, p.Prefix, p.Delimiter):
			continue
		case folder != "" && folder == last:
			list.NextMarker = key
			continue
		case page.MaxKeys > 0 && n >= page.MaxKeys:
			list.IsTruncated = true
			return list, nil
		case folder != "":
			list.AddPrefix(folder)
			last = folder
		default:
			o, err := b.files.Stat(bucket, key)
			if errors.Is(err, store.ErrNotFound) {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, b.err(bucket, key, err)
			}
			list.Add(&gofakes3.Content{Key: key, LastModified: gofakes3.NewContentTime(o.Modified), ETag: quote(o.ETag), Size: o.Size})
		}
		list.NextMarker = key
		n++
	}
	list.NextMarker = ""
	return list, nil
}

// commonPrefix is the folder in which a delimited listing shows key, if any.
func commonPrefix(key, prefix, delimiter string) string {
	rest, ok := strings.CutPrefix(key, prefix)
	if head, _, found := strings.Cut(rest, delimiter); ok && found && delimiter != "" {
		return prefix + head + delimiter
	}
	return ""
}

func (b *backend) HeadObject(_ context.Context, bucket, key string) (*gofakes3.Object, error) {
	o, err := b.files.Stat(bucket, key)
	if err != nil {
		return nil, b.err(bucket, key, err)
	}
	return object(o, io.NopCloser(bytes.NewReader(nil))), nil
}

func (b *backend) GetObject(_ context.Context, bucket, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	f, o, err := b.files.Open(bucket, key)
	if err != nil {
		return nil, b.err(bucket, key, err)
	}
	r, err := want.Range(o.Size)
	if err != nil {
		f.Close()
		return nil, err
	}
	if r == nil {
		return object(o, fs.Section(f, 0, o.Size)), nil
	}
	part := object(o, fs.Section(f, r.Start, r.Length))
	part.Range = r
	return part, nil
}

func (b *backend) PutObject(ctx context.Context, bucket, key string, header map[string]string, body io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	delete(header, lastModified) // when the request began; ours is when it ended
	o := fs.PutOptions{Header: header}
	if gofakes3.HasWriteConditions(ctx) {
		o.Check = func(old *fs.Object) error {
			if old == nil {
				return gofakes3.CheckWriteConditions(ctx, false, "")
			}
			return gofakes3.CheckWriteConditions(ctx, true, hex.EncodeToString(old.ETag))
		}
	}
	stored, err := b.files.Put(ctx, bucket, key, body, size, o)
	if err != nil {
		return gofakes3.PutObjectResult{}, b.err(bucket, key, err)
	}
	return gofakes3.PutObjectResult{ETag: quote(stored.ETag)}, nil
}

func (b *backend) CopyObject(ctx context.Context, srcBucket, srcKey, bucket, key string, header map[string]string) (gofakes3.CopyObjectResult, error) {
	f, src, err := b.files.Open(srcBucket, srcKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, b.err(srcBucket, srcKey, err)
	}
	defer f.Close()
	delete(header, lastModified)
	o, err := b.files.Put(ctx, bucket, key, io.LimitReader(f, src.Size), src.Size, fs.PutOptions{Header: header})
	if err != nil {
		return gofakes3.CopyObjectResult{}, b.err(bucket, key, err)
	}
	return gofakes3.CopyObjectResult{ETag: quote(o.ETag), LastModified: gofakes3.NewContentTime(o.Modified)}, nil
}

func (b *backend) DeleteObject(_ context.Context, bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, b.err(bucket, key, b.files.Delete(bucket, key))
}

func (b *backend) DeleteMulti(_ context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var out gofakes3.MultiDeleteResult
	for _, key := range keys {
		if err := b.err(bucket, key, b.files.Delete(bucket, key)); err != nil {
			failed := gofakes3.ErrorResultFromError(err)
			failed.Key = key
			out.Error = append(out.Error, failed)
		} else {
			out.Deleted = append(out.Deleted, gofakes3.ObjectID{Key: key})
		}
	}
	return out, nil
}
