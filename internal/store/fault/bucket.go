package fault

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"

	"templar/internal/clock"
	"templar/internal/store"
)

// Wrap makes b misbehave as p plans, on c's time.
func Wrap(b store.Bucket, c clock.Clock, p Plan) store.Bucket {
	return &bucket{bucket: b, clock: c, plan: p}
}

type bucket struct {
	bucket store.Bucket
	clock  clock.Clock
	plan   Plan

	mu struct {
		sync.Mutex
		calls int
		tries map[Op]int // by name and key
	}
}

// count gives a call its numbers.
func (b *bucket) count(name, key string) Op {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.tries == nil {
		b.mu.tries = make(map[Op]int)
	}
	op := Op{Name: name, Key: key}
	b.mu.calls++
	b.mu.tries[op]++
	op.N, op.Try = b.mu.calls, b.mu.tries[op]
	return op
}

// begin does what comes before a call. After an error there is no call.
func (b *bucket) begin(ctx context.Context, name, key string) (Fault, error) {
	f := b.plan(b.count(name, key))
	if err := b.clock.Sleep(ctx, f.Delay); err != nil { // at once if ctx has ended
		return f, err
	}
	if f.Hang {
		return f, hang(ctx, b.clock)
	}
	if !f.Persist {
		return f, f.Err
	}
	return f, nil
}

// hidden tells whether a stale view lacks the object still.
func (b *bucket) hidden(f Fault, i store.Info) bool {
	return f.Stale > 0 && i.LastModified.After(b.clock.Now().Add(-f.Stale))
}

// shown is i as a store under f tells it.
func shown(f Fault, i store.Info) store.Info {
	i.LastModified = i.LastModified.Add(f.Skew)
	i.Size = max(0, i.Size+f.Grow)
	return i
}

func (b *bucket) Head(ctx context.Context, key string) (store.Info, error) {
	f, err := b.begin(ctx, Head, key)
	if err != nil {
		return store.Info{}, err
	}
	return b.head(ctx, f, key)
}

func (b *bucket) head(ctx context.Context, f Fault, key string) (store.Info, error) {
	info, err := b.bucket.Head(ctx, key)
	switch {
	case f.Err != nil:
		return store.Info{}, f.Err
	case err != nil:
		return store.Info{}, err
	case b.hidden(f, info):
		return store.Info{}, fmt.Errorf("head %q in a stale view: %w", key, store.ErrNotFound)
	}
	return shown(f, info), nil
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	f, err := b.begin(ctx, Get, key)
	if err != nil {
		return nil, store.Info{}, err
	}
	if f.Grow == 0 { // else the limit is held against the announced length
		return b.get(ctx, f, key, limit)
	}
	r, info, err := b.get(ctx, f, key, -1)
	if err == nil && limit >= 0 && info.Size > limit {
		r.Close()
		return nil, info, fmt.Errorf("get %q: %d bytes announced, limit %d: %w", key, info.Size, limit, store.ErrTooLarge)
	}
	return r, info, err
}

func (b *bucket) get(ctx context.Context, f Fault, key string, limit int64) (io.ReadCloser, store.Info, error) {
	r, info, err := b.bucket.Get(ctx, key, limit)
	if err != nil {
		return nil, shown(f, info), err
	}
	if f.Err != nil {
		r.Close()
		return nil, store.Info{}, f.Err
	}
	if b.hidden(f, info) {
		r.Close()
		return nil, store.Info{}, fmt.Errorf("get %q in a stale view: %w", key, store.ErrNotFound)
	}
	info = shown(f, info)
	return &body{ReadCloser: r, ctx: ctx, clock: b.clock, fault: f, end: info.Size}, info, nil
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	f, err := b.begin(ctx, Range, key)
	if err != nil {
		return nil, err
	}
	if f.Stale > 0 {
		if _, err := b.head(ctx, f, key); err != nil {
			return nil, err
		}
	}
	r, err := b.bucket.GetRange(ctx, key, offset, n, etag)
	if err != nil {
		return nil, err
	}
	if f.Err != nil {
		r.Close()
		return nil, f.Err
	}
	end := int64(-1)
	if f.Grow < 0 {
		end = max(0, n+f.Grow)
	}
	return &body{ReadCloser: r, ctx: ctx, clock: b.clock, fault: f, end: end}, nil
}

// List asks on when objects are hidden: a short answer would mean that there are no more.
func (b *bucket) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	f, err := b.begin(ctx, List, prefix)
	if err != nil {
		return nil, err
	}
	var out []store.Info
	for {
		page, err := b.bucket.List(ctx, prefix, after, max)
		if err != nil {
			return nil, err
		}
		if f.Err != nil {
			return nil, f.Err
		}
		for _, info := range page {
			if after = info.Key; !b.hidden(f, info) && len(out) < max {
				out = append(out, shown(f, info))
			}
		}
		if len(page) < max || len(out) >= max {
			return out, nil
		}
	}
}

func (b *bucket) Put(ctx context.Context, key string, r io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	f, err := b.begin(ctx, Put, key)
	if err != nil {
		return store.Info{}, err
	}
	r, n, err := b.send(ctx, f, r, size)
	if err != nil {
		return store.Info{}, err
	}
	info, err := b.bucket.Put(ctx, key, r, n, o)
	if f.Err != nil || err != nil {
		return store.Info{}, cmp.Or(f.Err, err)
	}
	info.Size = size
	if !info.LastModified.IsZero() {
		info.LastModified = info.LastModified.Add(f.Skew)
	}
	return info, nil
}

// send takes the time that a body takes, and returns what of it arrives.
func (b *bucket) send(ctx context.Context, f Fault, r io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	if err := drip(ctx, b.clock, f.Drip, size); err != nil {
		return nil, 0, err
	}
	switch {
	case f.Damage == Stall && f.At < size:
		return nil, 0, hang(ctx, b.clock)
	case f.Damage == Truncate:
		return r, min(size, f.At), nil
	case f.Damage == Corrupt:
		return corrupted{r, f.At}, size, nil
	}
	return r, size, nil
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	f, err := b.begin(ctx, Delete, key)
	if err != nil {
		return err
	}
	err = b.bucket.Delete(ctx, key)
	return cmp.Or(f.Err, err)
}
