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
func Wrap(b store.Bucket, c clock.Clock, p Plan) store.Bucket { return Carry(b, c, p.carrier(c)) }

// Carry returns b as it is seen across carry, which every method of a bucket goes through.
// Bodies with a Drip or a Stall take c's time.
func Carry(b store.Bucket, c clock.Clock, carry Carrier) store.Bucket {
	return &bucket{bucket: b, clock: c, carry: carry}
}

// A Carrier takes one request to the store and its answer back. When the request arrives,
// it calls effect, at most once, with the fault that the call then meets (Err and Persist
// are the Carrier's own). The answer is that of the store if the Carrier returns nil after
// effect has returned; an error is the answer in place of it. A Carrier that never calls
// effect must return an error.
type Carrier func(ctx context.Context, op Op, effect func(context.Context, Fault)) error

// carrier carries requests as p plans.
func (p Plan) carrier(c clock.Clock) Carrier {
	return func(ctx context.Context, op Op, effect func(context.Context, Fault)) error {
		f := p(op)
		if err := c.Sleep(ctx, f.Delay); err != nil { // at once if ctx has ended
			return err
		}
		if f.Hang {
			return hang(ctx, c)
		}
		if f.Err == nil || f.Persist {
			effect(ctx, f)
		}
		return f.Err
	}
}

type bucket struct {
	bucket store.Bucket
	clock  clock.Clock
	carry  Carrier

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

// through carries a call.
func (b *bucket) through(ctx context.Context, name, key string, effect func(context.Context, Fault)) error {
	return b.carry(ctx, b.count(name, key), effect)
}

// answer carries a call that answers with a value.
func answer[T any](ctx context.Context, b *bucket, name, key string, call func(context.Context, Fault) (T, error)) (T, error) {
	var got, none T
	var err error
	failed := b.through(ctx, name, key, func(ctx context.Context, f Fault) { got, err = call(ctx, f) })
	if err = cmp.Or(failed, err); err != nil {
		return none, err
	}
	return got, nil
}

// hidden reports whether a stale view lacks the object still.
func (b *bucket) hidden(f Fault, i store.Info) bool {
	return f.Stale > 0 && i.LastModified.After(b.clock.Now().Add(-f.Stale))
}

// shown is i as a store under f reports it.
func shown(f Fault, i store.Info) store.Info {
	i.LastModified = i.LastModified.Add(f.Skew)
	i.Size = max(0, i.Size+f.Grow)
	return i
}

func (b *bucket) Head(ctx context.Context, key string) (store.Info, error) {
	return answer(ctx, b, Head, key, func(ctx context.Context, f Fault) (store.Info, error) { return b.head(ctx, f, key) })
}

func (b *bucket) head(ctx context.Context, f Fault, key string) (store.Info, error) {
	info, err := b.bucket.Head(ctx, key)
	switch {
	case err != nil:
		return store.Info{}, err
	case b.hidden(f, info):
		return store.Info{}, fmt.Errorf("head %q in a stale view: %w", key, store.ErrNotFound)
	}
	return shown(f, info), nil
}

// Get returns the Info of a body that is too large, as every store does.
func (b *bucket) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	var r io.ReadCloser
	var info store.Info
	var err error
	failed := b.through(ctx, Get, key, func(reached context.Context, f Fault) { r, info, err = b.get(ctx, reached, f, key, limit) })
	if failed == nil {
		return r, info, err
	}
	if r != nil {
		r.Close()
	}
	return nil, store.Info{}, failed
}

// get reads an object on reached, and its body on ctx, the caller's.
func (b *bucket) get(ctx, reached context.Context, f Fault, key string, limit int64) (io.ReadCloser, store.Info, error) {
	asked := limit
	if f.Grow != 0 { // the limit is held against the announced length
		asked = -1
	}
	r, info, err := b.bucket.Get(reached, key, asked)
	if err != nil {
		return nil, shown(f, info), err
	}
	stale := b.hidden(f, info)
	info = shown(f, info)
	switch {
	case stale:
		err = fmt.Errorf("get %q in a stale view: %w", key, store.ErrNotFound)
	case limit >= 0 && info.Size > limit:
		err = fmt.Errorf("get %q: %d bytes announced, limit %d: %w", key, info.Size, limit, store.ErrTooLarge)
	}
	if err != nil {
		r.Close()
		return nil, info, err
	}
	return &body{ReadCloser: r, ctx: ctx, clock: b.clock, fault: f, end: info.Size}, info, nil
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	var r io.ReadCloser
	var err error
	failed := b.through(ctx, Range, key, func(reached context.Context, f Fault) { r, err = b.getRange(ctx, reached, f, key, offset, n, etag) })
	if failed == nil {
		return r, err
	}
	if r != nil {
		r.Close()
	}
	return nil, failed
}

func (b *bucket) getRange(ctx, reached context.Context, f Fault, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	if f.Stale > 0 {
		if _, err := b.head(reached, f, key); err != nil {
			return nil, err
		}
	}
	r, err := b.bucket.GetRange(reached, key, offset, n, etag)
	if err != nil {
		return nil, err
	}
	end := int64(-1)
	if f.Grow < 0 {
		end = max(0, n+f.Grow)
	}
	return &body{ReadCloser: r, ctx: ctx, clock: b.clock, fault: f, end: end}, nil
}

func (b *bucket) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	return answer(ctx, b, List, prefix, func(ctx context.Context, f Fault) ([]store.Info, error) {
		return b.list(ctx, f, prefix, after, max)
	})
}

// list asks on when objects are hidden: a short answer would mean that there are no more.
func (b *bucket) list(ctx context.Context, f Fault, prefix, after string, max int) (out []store.Info, err error) {
	for {
		page, err := b.bucket.List(ctx, prefix, after, max)
		if err != nil {
			return nil, err
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
	return answer(ctx, b, Put, key, func(ctx context.Context, f Fault) (store.Info, error) {
		sent, n, err := b.send(ctx, f, r, size)
		if err != nil {
			return store.Info{}, err
		}
		info, err := b.bucket.Put(ctx, key, sent, n, o)
		info.Size = size
		if !info.LastModified.IsZero() {
			info.LastModified = info.LastModified.Add(f.Skew)
		}
		return info, err
	})
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	_, err := answer(ctx, b, Delete, key, func(ctx context.Context, _ Fault) (struct{}, error) {
		return struct{}{}, b.bucket.Delete(ctx, key)
	})
	return err
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
