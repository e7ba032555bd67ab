package fs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"templar/internal/store"
)

func (b *bucket) CreateUpload(ctx context.Context, key string) (store.Upload, error) {
	if err := ctx.Err(); err != nil {
		return store.Upload{}, err
	}
	u, err := b.store.CreateUpload(b.name, key, nil, nil)
	return upload(u), err
}

func (b *bucket) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := b.store.bucketDir(b.name); err != nil {
		return nil, err
	}
	all, err := b.store.Uploads(b.name)
	if err != nil {
		return nil, err
	}
	var out []store.Upload
	for _, u := range all {
		if strings.HasPrefix(u.Key, prefix) && len(out) < maxUploads {
			out = append(out, upload(u))
		}
	}
	return out, nil
}

// maxUploads is how many uploads the port lists.
const maxUploads = 1000

func (b *bucket) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if err := store.CheckPart(number, size); err != nil {
		return store.Part{}, err
	}
	own, err := b.upload(ctx, u)
	if err != nil {
		return store.Part{}, err
	}
	p, err := b.store.PutPart(ctx, own, number, io.NewSectionReader(body, 0, size), size, PartOptions{})
	return part(p), refine(err)
}

func (b *bucket) Parts(ctx context.Context, u store.Upload) ([]store.Part, error) {
	own, err := b.upload(ctx, u)
	if err != nil {
		return nil, err
	}
	parts, err := b.store.Parts(own)
	if err != nil {
		return nil, refine(err)
	}
	var out []store.Part
	for _, p := range parts {
		out = append(out, part(p))
	}
	return out, nil
}

func (b *bucket) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	if err := store.CheckParts(parts); err != nil {
		return store.Info{}, err
	}
	own, err := b.upload(ctx, u)
	if err != nil {
		return store.Info{}, err
	}
	var joined []Part
	for _, p := range parts {
		etag, err := hex.DecodeString(p.ETag)
		if err != nil {
			return store.Info{}, fmt.Errorf("%w: part %d has ETag %q", store.ErrInvalid, p.Number, p.ETag)
		}
		joined = append(joined, Part{Number: p.Number, ETag: etag})
	}
	obj, err := b.store.Complete(ctx, own, joined, condition(u.Key, o))
	return info(obj), refine(err)
}

func (b *bucket) AbortUpload(ctx context.Context, u store.Upload) error {
	own, err := b.upload(ctx, u)
	if errors.Is(err, ErrNoUpload) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.store.Abort(own)
}

// upload finds u in the directory.
func (b *bucket) upload(ctx context.Context, u store.Upload) (Upload, error) {
	if err := ctx.Err(); err != nil {
		return Upload{}, err
	}
	if _, err := b.store.bucketDir(b.name); err != nil {
		return Upload{}, err
	}
	own, err := b.store.Upload(b.name, u.Key, u.ID)
	return own, refine(err)
}

// refine says which of the port's errors err is.
func refine(err error) error {
	switch {
	case errors.Is(err, ErrNoUpload):
		return fmt.Errorf("%w: %w", store.ErrNotFound, err)
	case errors.Is(err, ErrBadPart), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	return err
}

func upload(u Upload) store.Upload {
	return store.Upload{Key: u.Key, ID: u.ID, Initiated: u.Initiated}
}

func part(p Part) store.Part {
	return store.Part{Number: p.Number, Size: p.Size, ETag: hex.EncodeToString(p.ETag)}
}
