package store

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// CreateUpload may leave an upload behind when an attempt failed that was stored all the
// same: whoever completes the key drops what Uploads shows of it.
func (r *retrying) CreateUpload(ctx context.Context, key string) (u Upload, err error) {
	err = r.do(ctx, func() error {
		u, err = r.bucket.CreateUpload(ctx, key)
		return err
	})
	return u, err
}

func (r *retrying) Uploads(ctx context.Context, prefix string) (uploads []Upload, err error) {
	err = r.do(ctx, func() error {
		uploads, err = r.bucket.Uploads(ctx, prefix)
		return err
	})
	return uploads, err
}

func (r *retrying) PutPart(ctx context.Context, u Upload, number int, body io.ReaderAt, size int64) (p Part, err error) {
	err = r.do(ctx, func() error {
		p, err = r.bucket.PutPart(ctx, u, number, body, size)
		return err
	})
	return p, err
}

func (r *retrying) Parts(ctx context.Context, u Upload) (parts []Part, err error) {
	err = r.do(ctx, func() error {
		parts, err = r.bucket.Parts(ctx, u)
		return err
	})
	return parts, err
}

// CompleteUpload takes the key's object for its own when an attempt failed that may have
// been carried out, the next one finds no upload or the key taken, and the object there
// is what the parts make.
func (r *retrying) CompleteUpload(ctx context.Context, u Upload, parts []Part, o PutOptions) (info Info, err error) {
	unknown := false // whether an attempt failed that may have been carried out
	err = r.do(ctx, func() error {
		info, err = r.bucket.CompleteUpload(ctx, u, parts, o)
		if unknown && (errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists)) {
			info, err = r.oursJoined(ctx, u.Key, parts, err)
		}
		unknown = unknown || err != nil
		return err
	})
	return info, err
}

// oursJoined returns the stored object's Info if it is what the parts make, else refused.
func (r *retrying) oursJoined(ctx context.Context, key string, parts []Part, refused error) (Info, error) {
	stored, err := r.bucket.Head(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && !joined(stored, parts):
		return Info{}, refused
	case err != nil:
		return Info{}, fmt.Errorf("compare with what is stored: %w", err)
	}
	return stored, nil
}

func (r *retrying) AbortUpload(ctx context.Context, u Upload) error {
	return r.do(ctx, func() error { return r.bucket.AbortUpload(ctx, u) })
}
