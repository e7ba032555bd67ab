package sim

import (
	"context"
	"io"
	"time"

	"templar/internal/store"
)

// link is one direction of a connection. It passes slices of bodies in the order in which they come.
type link struct{ free int64 } // when the last of them is through, in nanoseconds since epoch

// take is when a slice that comes at an instant begins to pass, and when it is through; at no rate a link has no limit.
func (l *link) take(at, size int64, rate float64) (begins, ends int64) {
	if rate == 0 {
		return at, at
	}
	begins = max(l.free, at)
	l.free = begins + int64(8*float64(size)/rate*float64(time.Second))
	return begins, l.free
}

// connection is that of a node or of a store.
type connection struct{ up, down link }

const (
	slicesOf   = 64      // that a large body has
	leastSlice = 1 << 16 // bytes
)

// pass waits until so many bytes are through two links. A body asks for its next slice when one is through: those that
// pass at the same time share a link, as connections do that adapt to each other.
func (p *process) pass(ctx context.Context, size int64, near *link, nearRate float64, far *link, farRate float64) error {
	if nearRate == 0 && farRate == 0 {
		return nil
	}
	slice := max(size/slicesOf, leastSlice)
	for left := size; left > 0; left -= slice {
		err := p.wait(ctx, func(t *task) {
			begins, through := far.take(p.s.now, min(slice, left), farRate)
			_, here := near.take(begins, min(slice, left), nearRate)
			p.s.after(time.Duration(max(through, here)-p.s.now), p.s.waker(t))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// linked makes a bucket's bodies take the time that the node's connection and the store's need for them.
func (n *Node) linked(p *process, bucket string, b store.Bucket) store.Bucket {
	l := &linked{Bucket: b, node: n, process: p, machine: n.machine(), at: &connection{}}
	if c := n.net.config; c.Store != nil {
		l.store, l.at = c.Store(bucket), n.net.stores[bucket]
	}
	if l.machine.Up == 0 && l.machine.Down == 0 && l.store == (Machine{}) {
		return b
	}
	return l
}

type linked struct {
	store.Bucket
	node    *Node
	process *process
	machine Machine
	store   Machine
	at      *connection // of the store
}

// size is what a body counts for.
func (l *linked) size(key string, size int64) int64 {
	if of := l.node.net.config.Size; of != nil {
		return of(key, size)
	}
	return size
}

func (l *linked) send(ctx context.Context, key string, size int64) error {
	return l.process.pass(ctx, l.size(key, size), &l.node.connection.up, l.machine.Up, &l.at.down, l.store.Down)
}

func (l *linked) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := l.send(ctx, key, size); err != nil {
		return store.Info{}, err
	}
	return l.Bucket.Put(ctx, key, body, size, o)
}

func (l *linked) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if err := l.send(ctx, u.Key, size); err != nil {
		return store.Part{}, err
	}
	return l.Bucket.PutPart(ctx, u, number, body, size)
}

func (l *linked) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	body, info, err := l.Bucket.Get(ctx, key, limit)
	if err != nil {
		return nil, info, err
	}
	if err := l.receive(ctx, key, body, info.Size); err != nil {
		return nil, info, err
	}
	return body, info, nil
}

func (l *linked) GetRange(ctx context.Context, key string, offset, size int64, etag string) (io.ReadCloser, error) {
	body, err := l.Bucket.GetRange(ctx, key, offset, size, etag)
	if err != nil {
		return nil, err
	}
	if err := l.receive(ctx, key, body, size); err != nil {
		return nil, err
	}
	return body, nil
}

// receive waits for a body, and closes it when that was in vain.
func (l *linked) receive(ctx context.Context, key string, body io.Closer, size int64) error {
	err := l.process.pass(ctx, l.size(key, size), &l.node.connection.down, l.machine.Down, &l.at.up, l.store.Up)
	if err != nil {
		body.Close()
	}
	return err
}
