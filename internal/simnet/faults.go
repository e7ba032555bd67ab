package simnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"templar/internal/store"
)

// Fault is asked before each request to a bucket; its error is the answer.
type Fault func(ctx context.Context) error

// Unreachable refuses every connection.
func Unreachable(context.Context) error { return errors.New("connection refused") }

// Hanging never answers.
func Hanging(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Denied lets nobody read or write.
func Denied(context.Context) error { return store.ErrDenied }

// Unauthenticated knows nobody's key any more.
func Unauthenticated(context.Context) error { return store.ErrUnauthenticated }

// Break makes a bucket fail for everyone, its owner too, until Heal.
func (n *Network) Break(bucket string, f Fault) { n.faults.set(bucket, f) }

// Heal makes a bucket work again.
func (n *Network) Heal(bucket string) { n.faults.set(bucket, nil) }

// faults dials buckets that may fail.
type faults struct {
	dialer store.Dialer

	mu       sync.Mutex
	byBucket map[string]Fault
}

func (f *faults) set(bucket string, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byBucket[bucket] = fault
}

func (f *faults) check(ctx context.Context, bucket string) error {
	f.mu.Lock()
	fault := f.byBucket[bucket]
	f.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(ctx)
}

// Dial opens a bucket.
func (f *faults) Dial(l store.Location) (store.Bucket, error) {
	b, err := f.dialer.Dial(l)
	if err != nil {
		return nil, err
	}
	return faulty{Bucket: b, check: func(ctx context.Context) error { return f.check(ctx, l.Bucket) }}, nil
}

type faulty struct {
	store.Bucket
	check func(context.Context) error
}

func (b faulty) Head(ctx context.Context, key string) (store.Info, error) {
	if err := b.check(ctx); err != nil {
		return store.Info{}, err
	}
	return b.Bucket.Head(ctx, key)
}

func (b faulty) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	if err := b.check(ctx); err != nil {
		return nil, store.Info{}, err
	}
	return b.Bucket.Get(ctx, key, limit)
}

func (b faulty) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	if err := b.check(ctx); err != nil {
		return nil, err
	}
	return b.Bucket.List(ctx, prefix, after, max)
}

func (b faulty) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := b.check(ctx); err != nil {
		return store.Info{}, err
	}
	return b.Bucket.Put(ctx, key, body, size, o)
}

func (b faulty) Delete(ctx context.Context, key string) error {
	if err := b.check(ctx); err != nil {
		return err
	}
	return b.Bucket.Delete(ctx, key)
}

// tampering stores what a hostile node makes of its objects.
type tampering struct {
	store.Bucket
	tamper func(key string, body []byte) (string, []byte)
}

func (b tampering) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	raw, err := io.ReadAll(io.NewSectionReader(body, 0, size))
	if err != nil {
		return store.Info{}, err
	}
	if key, raw = b.tamper(key, raw); key == "" {
		return store.Info{}, nil
	}
	return b.Bucket.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), o)
}
