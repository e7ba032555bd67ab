package fault

import (
	"cmp"
	"context"
	"io"

	"templar/internal/store"
)

func (b *bucket) CreateUpload(ctx context.Context, key string) (store.Upload, error) {
	f, err := b.begin(ctx, CreateUpload, key)
	if err != nil {
		return store.Upload{}, err
	}
	u, err := b.bucket.CreateUpload(ctx, key)
	if f.Err != nil {
		return store.Upload{}, f.Err
	}
	return u, err
}

func (b *bucket) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	f, err := b.begin(ctx, Uploads, prefix)
	if err != nil {
		return nil, err
	}
	us, err := b.bucket.Uploads(ctx, prefix)
	if f.Err != nil {
		return nil, f.Err
	}
	return us, err
}

func (b *bucket) PutPart(ctx context.Context, u store.Upload, number int, r io.ReaderAt, size int64) (store.Part, error) {
	f, err := b.begin(ctx, PutPart, u.Key)
	if err != nil {
		return store.Part{}, err
	}
	r, n, err := b.send(ctx, f, r, size)
	if err != nil {
		return store.Part{}, err
	}
	p, err := b.bucket.PutPart(ctx, u, number, r, n)
	if f.Err != nil || err != nil {
		return store.Part{}, cmp.Or(f.Err, err)
	}
	p.Size = size
	return p, nil
}

func (b *bucket) Parts(ctx context.Context, u store.Upload) ([]store.Part, error) {
	f, err := b.begin(ctx, Parts, u.Key)
	if err != nil {
		return nil, err
	}
	parts, err := b.bucket.Parts(ctx, u)
	if f.Err != nil {
		return nil, f.Err
	}
	return parts, err
}

func (b *bucket) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	f, err := b.begin(ctx, CompleteUpload, u.Key)
	if err != nil {
		return store.Info{}, err
	}
	info, err := b.bucket.CompleteUpload(ctx, u, parts, o)
	if f.Err != nil {
		return store.Info{}, f.Err
	}
	return info, err
}

func (b *bucket) AbortUpload(ctx context.Context, u store.Upload) error {
	f, err := b.begin(ctx, AbortUpload, u.Key)
	if err != nil {
		return err
	}
	err = b.bucket.AbortUpload(ctx, u)
	return cmp.Or(f.Err, err)
}
