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
	if err := l.acquire(ctx); err != nil {
		return Info{}, err
	}
	defer l.release()
	return l.bucket.Head(ctx, key)
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

func (l *limited) GetRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	body, err := l.bucket.GetRange(ctx, key, offset, n)
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
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	defer l.release()
	return l.bucket.List(ctx, prefix, after, max)
}

func (l *limited) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o PutOptions) (Info, error) {
	if err := l.acquire(ctx); err != nil {
		return Info{}, err
	}
	defer l.release()
	return l.bucket.Put(ctx, key, body, size, o)
}

func (l *limited) Delete(ctx context.Context, key string) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.release()
	return l.bucket.Delete(ctx, key)
}
