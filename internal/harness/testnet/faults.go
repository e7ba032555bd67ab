package testnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"templar/internal/store"
	"templar/internal/store/fault"
)

// Fault is called before each request to a bucket; its error is the answer.
type Fault func(ctx context.Context) error

// Unreachable refuses every connection.
func Unreachable(context.Context) error { return errors.New("connection refused") }

// Hanging never answers.
func Hanging(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Denied refuses every key.
func Denied(context.Context) error { return store.ErrDenied }

// Unauthenticated knows no key any more.
func Unauthenticated(context.Context) error { return store.ErrUnauthenticated }

// Break makes every request to a bucket meet f, its owner's too, until Heal.
func (n *Network) Break(bucket string, f Fault) { n.faults.set(bucket, f) }

// Heal makes a bucket work again.
func (n *Network) Heal(bucket string) { n.faults.set(bucket, nil) }

// faults are those of buckets, by name.
type faults struct {
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

// disturb makes a bucket meet the fault that is set for it.
func (f *faults) disturb(l store.Location, b store.Bucket) store.Bucket {
	return fault.Carry(b, clk, func(ctx context.Context, _ fault.Op, effect func(context.Context, fault.Fault)) error {
		if err := f.check(ctx, l.Bucket); err != nil {
			return err
		}
		effect(ctx, fault.Fault{})
		return nil
	})
}

// tampering stores a hostile node's versions of its objects.
type tampering struct {
	store.Bucket
	tamper func(key string, body []byte) (string, []byte)
}

func (b tampering) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	raw, err := io.ReadAll(io.NewSectionReader(body, 0, size))
	if err != nil {
		return store.Info{}, err
	}
	whole := bytes.Clone(raw)
	if key, raw = b.tamper(key, raw); key == "" {
		return store.Info{}, nil
	}
	info, err := b.Bucket.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), o)
	if err == nil && o.IfAbsent && !bytes.Equal(raw, whole) { // so that the role goes on from what it has stored
		err = store.ErrExists
	}
	return info, err
}
