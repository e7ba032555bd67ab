package fault

import (
	"context"
	"io"

	"templar/internal/store"
)

func (b *bucket) CreateUpload(ctx context.Context, key string) (store.Upload, error) {
	return answer(ctx, b, CreateUpload, key, func(ctx context.Context, _ Fault) (store.Upload, error) {
		return b.bucket.CreateUpload(ctx, key)
	})
}

func (b *bucket) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	return answer(ctx, b, Uploads, prefix, func(ctx context.Context, _ Fault) ([]store.Upload, error) {
		return b.bucket.Uploads(ctx, prefix)
	})
}

func (b *bucket) PutPart(ctx context.Context, u store.Upload, number int, r io.ReaderAt, size int64) (store.Part, error) {
	return answer(ctx, b, PutPart, u.Key, func(ctx context.Context, f Fault) (store.Part, error) {
		sent, n, err := b.send(ctx, f, r, size)
		if err != nil {
			return store.Part{}, err
		}
		p, err := b.bucket.PutPart(ctx, u, number, sent, n)
		p.Size = size
		return p, err
	})
}

func (b *bucket) Parts(ctx context.Context, u store.Upload) ([]store.Part, error) {
	return answer(ctx, b, Parts, u.Key, func(ctx context.Context, _ Fault) ([]store.Part, error) {
		return b.bucket.Parts(ctx, u)
	})
}

func (b *bucket) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	return answer(ctx, b, CompleteUpload, u.Key, func(ctx context.Context, _ Fault) (store.Info, error) {
		return b.bucket.CompleteUpload(ctx, u, parts, o)
	})
}

func (b *bucket) AbortUpload(ctx context.Context, u store.Upload) error {
	_, err := answer(ctx, b, AbortUpload, u.Key, func(ctx context.Context, _ Fault) (struct{}, error) {
		return struct{}{}, b.bucket.AbortUpload(ctx, u)
	})
	return err
}
