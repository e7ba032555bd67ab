package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"templar/internal/harness"
	"templar/internal/store"
	"templar/internal/store/fault"
)

var (
	errLost    = errors.New("connection reset by peer")
	errTimeout = errors.New("no answer in time")
)

// detached is the context of a request that has left its process: it arrives even if the
// process is killed meanwhile.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// remote puts the network between a process and the buckets that it opens. The dataset is
// the same for all nodes and no subject of a simulation: reading it takes no time.
func (n *Node) remote(p *process) func(store.Location, store.Bucket) store.Bucket {
	return func(l store.Location, b store.Bucket) store.Bucket {
		if l.Bucket == harness.DatasetBucket {
			return b
		}
		if n.net.watch != nil {
			b = recorded{b, func(key string, raw []byte) { n.net.watch.stored(n, l.Bucket, key, raw) }}
		}
		b = copying{fault.Carry(b, nodeClock{p, &n.ahead}, n.carrier(p, l.Bucket))}
		return n.linked(p, l.Bucket, b)
	}
}

// inParts are the requests of uploads in parts. Nothing in a simulated network is large
// enough to need one: they take no time, and scripts have no name for them.
var inParts = map[string]bool{
	fault.CreateUpload: true, fault.PutPart: true, fault.CompleteUpload: true, fault.AbortUpload: true,
	fault.Uploads: true, fault.Parts: true,
}

// carrier takes requests to a bucket: each needs time on the way there, has its effect at
// one instant, and needs time on the way back. A request of a process that was killed
// meanwhile may still have its effect.
func (n *Node) carrier(p *process, bucket string) fault.Carrier {
	return func(ctx context.Context, op fault.Op, effect func(context.Context, fault.Fault)) error {
		if inParts[op.Name] && !n.cutFrom(theStore) {
			effect(ctx, fault.Fault{})
			return nil
		}
		if op.Name == fault.Range {
			op.Name = fault.Get // scripts make no difference
		}
		var out outcome
		err := p.wait(ctx, func(t *task) {
			out = n.net.faults.outcome(n, bucket, op.Name, op.Key)
			answered := p.s.waker(t)
			if !out.lost {
				p.s.after(out.delay/2, func() { effect(detached(ctx), fault.Fault{}) })
			}
			p.s.after(out.delay, answered)
		})
		if err != nil {
			return err
		}
		return out.err
	}
}

// recorded reports what it has stored.
type recorded struct {
	store.Bucket
	stored func(key string, raw []byte)
}

func (b recorded) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	raw, err := readBody(body, size)
	if err != nil {
		return store.Info{}, err
	}
	info, err := b.Bucket.Put(ctx, key, bytes.NewReader(raw), size, o)
	if err == nil {
		b.stored(key, raw)
	}
	return info, err
}

// copying copies a body before it is sent: a request may arrive after its process has
// ended, and has used the memory again.
type copying struct{ store.Bucket }

func (b copying) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	raw, err := readBody(body, size)
	if err != nil {
		return store.Info{}, err
	}
	return b.Bucket.Put(ctx, key, bytes.NewReader(raw), size, o)
}

func (b copying) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	raw, err := readBody(body, size)
	if err != nil {
		return store.Part{}, err
	}
	return b.Bucket.PutPart(ctx, u, number, bytes.NewReader(raw), size)
}

func readBody(body io.ReaderAt, size int64) ([]byte, error) {
	raw := make([]byte, max(size, 0))
	if _, err := io.ReadFull(io.NewSectionReader(body, 0, size), raw); err != nil {
		return nil, fmt.Errorf("body of %d bytes: %w", size, err)
	}
	return raw, nil
}

// diskTime is how long a write with fsync takes at most.
const diskTime = 20 * time.Millisecond

// disk is a node's own directory as a process sees it. Puts and deletes take time, reads take none.
// What was written is durable when the call returns; a write that is under way when the
// process is killed has no effect.
func (n *Node) disk(p *process) store.Bucket {
	b := n.files
	if n.net.watch != nil {
		b = recorded{b, func(key string, raw []byte) {
			p.leave(func() { n.net.watch.wrote(n, key, raw) })
		}}
	}
	return fault.Carry(b, nodeClock{p, &n.ahead}, func(ctx context.Context, op fault.Op, effect func(context.Context, fault.Fault)) error {
		switch op.Name {
		case fault.Put, fault.Delete:
			if err := n.write(ctx, p); err != nil {
				return err
			}
		}
		effect(ctx, fault.Fault{})
		return nil
	})
}

// write waits until the disk has done a write.
func (n *Node) write(ctx context.Context, p *process) error {
	return p.wait(ctx, func(t *task) {
		took := time.Duration(n.rand.Int64N(int64(diskTime/tick)+1)) * tick
		p.s.after(took+n.net.faults.diskDelay(n), p.s.waker(t))
	})
}
