package store

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Watcher notices that no request to a store succeeds. A refusal is an answer: it is an error
// where the request was made, and says nothing of the store.
type Watcher struct {
	Patience time.Duration // how long the store may fail before it is reported
	Every    time.Duration // and how often it is reported again
	Failing  func(since time.Duration, why error)
	Back     func(after time.Duration) // after Failing

	mu struct {
		sync.Mutex
		answered time.Time // when the last request succeeded
		since    time.Time // when the first of those began that have failed since; zero: none has
		reported time.Time // when Failing was called last; zero: not since the last success
	}
}

var errNoAnswer = errors.New("no answer yet")

// slowest is the rate below which a body is taken to stand still, in bytes a second.
const slowest = 64 << 10

// begin is called before a request whose body has size bytes, and answer after it.
func (w *Watcher) begin(size int64) (answer func(context.Context, error)) {
	began := time.Now()
	late := time.AfterFunc(w.Patience+time.Duration(size/slowest)*time.Second, func() { w.fail(began, errNoAnswer) })
	return func(ctx context.Context, err error) {
		late.Stop()
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
		case ctx.Err() != nil || Retryable(err):
			w.fail(began, err)
		default:
			w.success()
		}
	}
}

func (w *Watcher) fail(began time.Time, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if began.Before(w.mu.answered) {
		return // others got an answer meanwhile
	}
	if w.mu.since.IsZero() || began.Before(w.mu.since) {
		w.mu.since = began
	}
	now := time.Now()
	if now.Sub(w.mu.since) < w.Patience || !w.mu.reported.IsZero() && now.Sub(w.mu.reported) < w.Every {
		return
	}
	w.mu.reported = now
	w.Failing(now.Sub(w.mu.since), why)
}

func (w *Watcher) success() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if !w.mu.reported.IsZero() {
		w.Back(now.Sub(w.mu.since))
	}
	w.mu.answered, w.mu.since, w.mu.reported = now, time.Time{}, time.Time{}
}

// Watch shows w what becomes of each request to b.
func Watch(b Bucket, w *Watcher) Bucket { return &watched{bucket: b, watcher: w} }

type watched struct {
	bucket  Bucket
	watcher *Watcher
}

// seen makes a call whose body has size bytes.
func seen[T any](ctx context.Context, w *watched, size int64, call func() (T, error)) (T, error) {
	answer := w.watcher.begin(size)
	out, err := call()
	answer(ctx, err)
	return out, err
}

func (w *watched) Head(ctx context.Context, key string) (Info, error) {
	return seen(ctx, w, 0, func() (Info, error) { return w.bucket.Head(ctx, key) })
}

func (w *watched) Get(ctx context.Context, key string, limit int64) (body io.ReadCloser, info Info, err error) {
	body, err = seen(ctx, w, 0, func() (b io.ReadCloser, err error) {
		b, info, err = w.bucket.Get(ctx, key, limit)
		return b, err
	})
	return body, info, err
}

func (w *watched) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	return seen(ctx, w, 0, func() (io.ReadCloser, error) { return w.bucket.GetRange(ctx, key, offset, n, etag) })
}

func (w *watched) List(ctx context.Context, prefix, after string, max int) ([]Info, error) {
	return seen(ctx, w, 0, func() ([]Info, error) { return w.bucket.List(ctx, prefix, after, max) })
}

func (w *watched) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o PutOptions) (Info, error) {
	return seen(ctx, w, size, func() (Info, error) { return w.bucket.Put(ctx, key, body, size, o) })
}

func (w *watched) Delete(ctx context.Context, key string) error {
	_, err := seen(ctx, w, 0, func() (struct{}, error) { return struct{}{}, w.bucket.Delete(ctx, key) })
	return err
}

func (w *watched) CreateUpload(ctx context.Context, key string) (Upload, error) {
	return seen(ctx, w, 0, func() (Upload, error) { return w.bucket.CreateUpload(ctx, key) })
}

func (w *watched) Uploads(ctx context.Context, prefix string) ([]Upload, error) {
	return seen(ctx, w, 0, func() ([]Upload, error) { return w.bucket.Uploads(ctx, prefix) })
}

func (w *watched) PutPart(ctx context.Context, u Upload, number int, body io.ReaderAt, size int64) (Part, error) {
	return seen(ctx, w, size, func() (Part, error) { return w.bucket.PutPart(ctx, u, number, body, size) })
}

func (w *watched) Parts(ctx context.Context, u Upload) ([]Part, error) {
	return seen(ctx, w, 0, func() ([]Part, error) { return w.bucket.Parts(ctx, u) })
}

func (w *watched) CompleteUpload(ctx context.Context, u Upload, parts []Part, o PutOptions) (Info, error) {
	return seen(ctx, w, 0, func() (Info, error) { return w.bucket.CompleteUpload(ctx, u, parts, o) })
}

func (w *watched) AbortUpload(ctx context.Context, u Upload) error {
	_, err := seen(ctx, w, 0, func() (struct{}, error) { return struct{}{}, w.bucket.AbortUpload(ctx, u) })
	return err
}
