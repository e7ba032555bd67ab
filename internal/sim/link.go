package sim

import (
	"context"
	"io"
	"time"

	"templar/internal/store"
)

// link is one direction of a node's connection: a body is sent after those before it.
type link struct{ free int64 } // when the last of them is through, in nanoseconds since epoch

// pass waits until so many bytes are through, at so many bits a second.
func (l *link) pass(ctx context.Context, p *process, size int64, rate float64) error {
	if rate == 0 || size <= 0 {
		return nil
	}
	return p.wait(ctx, func(t *task) {
		l.free = max(l.free, p.s.now) + int64(8*float64(size)/rate*float64(time.Second))
		p.s.after(time.Duration(l.free-p.s.now), p.s.waker(t))
	})
}

// linked makes a bucket's bodies take the time that the node's connection needs for them.
func (n *Node) linked(p *process, b store.Bucket) store.Bucket {
	m := n.machine()
	if m.Up == 0 && m.Down == 0 {
		return b
	}
	return &linked{b, n, p, m}
}

type linked struct {
	store.Bucket
	node    *Node
	process *process
	machine Machine
}

func (l *linked) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := l.node.uplink.pass(ctx, l.process, size, l.machine.Up); err != nil {
		return store.Info{}, err
	}
	return l.Bucket.Put(ctx, key, body, size, o)
}

func (l *linked) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if err := l.node.uplink.pass(ctx, l.process, size, l.machine.Up); err != nil {
		return store.Part{}, err
	}
	return l.Bucket.PutPart(ctx, u, number, body, size)
}

func (l *linked) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	body, info, err := l.Bucket.Get(ctx, key, limit)
	if err != nil {
		return nil, info, err
	}
	if err := l.receive(ctx, body, info.Size); err != nil {
		return nil, info, err
	}
	return body, info, nil
}

func (l *linked) GetRange(ctx context.Context, key string, offset, size int64, etag string) (io.ReadCloser, error) {
	body, err := l.Bucket.GetRange(ctx, key, offset, size, etag)
	if err != nil {
		return nil, err
	}
	if err := l.receive(ctx, body, size); err != nil {
		return nil, err
	}
	return body, nil
}

// receive waits for a body, and closes it when that was in vain.
func (l *linked) receive(ctx context.Context, body io.Closer, size int64) error {
	err := l.node.down.pass(ctx, l.process, size, l.machine.Down)
	if err != nil {
		body.Close()
	}
	return err
}
