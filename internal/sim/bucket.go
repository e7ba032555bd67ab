package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"templar/internal/store"
)

// bucket is a bucket of the object store as a process sees it: each request takes time on
// the way there, has its effect at one instant, and takes time on the way back. What a
// process asked for before it was killed may have its effect all the same. Uploads in
// parts take no time: nothing in a simulated network is large enough for them.
type bucket struct {
	store.Bucket
	name    string
	node    *Node
	process *process
}

var (
	errLost    = errors.New("connection reset by peer")
	errTimeout = errors.New("no answer in time")
)

// request carries one request out.
func (b *bucket) request(ctx context.Context, op, key string, effect func()) error {
	s := b.process.s
	var fate fate
	err := b.process.wait(ctx, func(t *task) {
		fate = b.node.net.weather.fate(b.node, b.name, op, key)
		answered := s.waker(t)
		if !fate.lost {
			s.after(fate.delay/2, effect)
		}
		s.after(fate.delay, answered)
	})
	if err != nil {
		return err
	}
	return fate.err
}

// There is no context inside the store: a request that is under way arrives.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func (b *bucket) Head(ctx context.Context, key string) (info store.Info, err error) {
	failed := b.request(ctx, "head", key, func() { info, err = b.Bucket.Head(detached(ctx), key) })
	if failed != nil {
		return store.Info{}, failed
	}
	return info, err
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (body io.ReadCloser, info store.Info, err error) {
	failed := b.request(ctx, "get", key, func() { body, info, err = b.Bucket.Get(detached(ctx), key, limit) })
	if failed != nil {
		return nil, store.Info{}, failed
	}
	return body, info, err
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64, etag string) (body io.ReadCloser, err error) {
	failed := b.request(ctx, "get", key, func() { body, err = b.Bucket.GetRange(detached(ctx), key, offset, n, etag) })
	if failed != nil {
		return nil, failed
	}
	return body, err
}

func (b *bucket) List(ctx context.Context, prefix, after string, max int) (infos []store.Info, err error) {
	failed := b.request(ctx, "list", prefix, func() { infos, err = b.Bucket.List(detached(ctx), prefix, after, max) })
	if failed != nil {
		return nil, failed
	}
	return infos, err
}

func (b *bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (info store.Info, err error) {
	raw, err := readBody(body, size)
	if err != nil {
		return store.Info{}, err
	}
	failed := b.request(ctx, "put", key, func() {
		if info, err = b.Bucket.Put(detached(ctx), key, bytes.NewReader(raw), size, o); err == nil {
			b.node.net.watch.stored(b.node, b.name, key, raw)
		}
	})
	if failed != nil {
		return store.Info{}, failed
	}
	return info, err
}

func (b *bucket) Delete(ctx context.Context, key string) (err error) {
	failed := b.request(ctx, "delete", key, func() { err = b.Bucket.Delete(detached(ctx), key) })
	if failed != nil {
		return failed
	}
	return err
}

func readBody(body io.ReaderAt, size int64) ([]byte, error) {
	raw := make([]byte, max(size, 0))
	if _, err := io.ReadFull(io.NewSectionReader(body, 0, size), raw); err != nil {
		return nil, fmt.Errorf("body of %d bytes: %w", size, err)
	}
	return raw, nil
}

// dialer opens buckets for a process.
type dialer struct {
	node    *Node
	process *process
}

func (d dialer) Dial(l store.Location) (store.Bucket, error) {
	b, err := d.node.net.store.Dial(l)
	if err != nil {
		return nil, err
	}
	return &bucket{Bucket: b, name: l.Bucket, node: d.node, process: d.process}, nil
}

// disk is a node's own directory as a process sees it. What it has written is durable when
// Put returns; a write that the process did not live to see finished did not happen.
type disk struct {
	store.Bucket
	node    *Node
	process *process
}

// diskTime is how long a write with fsync takes at most.
const diskTime = 20 * time.Millisecond

func (d *disk) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	raw, err := readBody(body, size)
	if err == nil {
		err = d.turn(ctx)
	}
	if err != nil {
		return store.Info{}, err
	}
	info, err := d.Bucket.Put(ctx, key, bytes.NewReader(raw), size, o)
	if err == nil {
		d.process.leave(func() { d.node.net.watch.wrote(d.node, key, raw) })
	}
	return info, err
}

func (d *disk) Delete(ctx context.Context, key string) error {
	if err := d.turn(ctx); err != nil {
		return err
	}
	return d.Bucket.Delete(ctx, key)
}

// turn waits until the disk has done what it was asked for.
func (d *disk) turn(ctx context.Context) error {
	s := d.process.s
	return d.process.wait(ctx, func(t *task) {
		took := time.Duration(d.node.rand.Int64N(int64(diskTime/tick)+1)) * tick
		s.after(took+d.node.net.weather.diskDelay(d.node), s.waker(t))
	})
}
