package store

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// Limit lets at most n requests to b run at once; others wait for a slot or for
// their context. A body holds its slot until it ends or is closed, so a goroutine
// that keeps bodies open while it asks for more can wait for itself.
func Limit(b Bucket, n int) Bucket {
	return &limited{bucket: b, slots: make(chan struct{}, max(1, n))}
}

type limited struct {
	bucket Bucket
	slots  chan struct{}
}

func (l *limited) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for one of %d slots: %w", cap(l.slots), ctx.Err())
	}
}

func (l *limited) release() { <-l.slots }

func (l *limited) Head(ctx context.Context, key string) (Info, error) {
	return within(ctx, l, func() (Info, error) { return l.bucket.Head(ctx, key) })
}

func (l *limited) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, Info, error) {
	if err := l.acquire(ctx); err != nil {
		return nil, Info{}, err
	}
	body, info, err := l.bucket.Get(ctx, key, limit)
	if err != nil {
		l.release()
		return nil, info, err
	}
	return l.hold(body), info, nil
}

func (l *limited) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	body, err := l.bucket.GetRange(ctx, key, offset, n, etag)
	if err != nil {
		l.release()
		return nil, err
	}
	return l.hold(body), nil
}

func (l *limited) hold(body io.ReadCloser) io.ReadCloser {
	release := sync.OnceFunc(l.release)
	ended := func(_ int, err error) {
		if err != nil {
			release()
		}
	}
	return &hookedBody{ReadCloser: body, onRead: ended, onClose: release}
}

func (l *limited) List(ctx context.Context, prefix, after string, max int) ([]Info, error) {
	return within(ctx, l, func() ([]Info, error) { return l.bucket.List(ctx, prefix, after, max) })
}

func (l *limited) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o PutOptions) (Info, error) {
	return within(ctx, l, func() (Info, error) { return l.bucket.Put(ctx, key, body, size, o) })
}

func (l *limited) Delete(ctx context.Context, key string) error {
	_, err := within(ctx, l, func() (struct{}, error) { return struct{}{}, l.bucket.Delete(ctx, key) })
	return err
}

// within makes a call in a slot.
func within[T any](ctx context.Context, l *limited, call func() (T, error)) (T, error) {
	if err := l.acquire(ctx); err != nil {
		var none T
		return none, err
	}
	defer l.release()
	return call()
}

func (l *limited) CreateUpload(ctx context.Context, key string) (Upload, error) {
	return within(ctx, l, func() (Upload, error) { return l.bucket.CreateUpload(ctx, key) })
}

func (l *limited) Uploads(ctx context.Context, prefix string) ([]Upload, error) {
	return within(ctx, l, func() ([]Upload, error) { return l.bucket.Uploads(ctx, prefix) })
}

func (l *limited) PutPart(ctx context.Context, u Upload, number int, body io.ReaderAt, size int64) (Part, error) {
	return within(ctx, l, func() (Part, error) { return l.bucket.PutPart(ctx, u, number, body, size) })
}

func (l *limited) Parts(ctx context.Context, u Upload) ([]Part, error) {
	return within(ctx, l, func() ([]Part, error) { return l.bucket.Parts(ctx, u) })
}

func (l *limited) CompleteUpload(ctx context.Context, u Upload, parts []Part, o PutOptions) (Info, error) {
	return within(ctx, l, func() (Info, error) { return l.bucket.CompleteUpload(ctx, u, parts, o) })
}

func (l *limited) AbortUpload(ctx context.Context, u Upload) error {
	_, err := within(ctx, l, func() (struct{}, error) { return struct{}{}, l.bucket.AbortUpload(ctx, u) })
	return err
}
