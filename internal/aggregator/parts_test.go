package aggregator_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"templar/internal/aggregator"
	"templar/internal/harness/testnet"
	"templar/internal/role"
	"templar/internal/store"
	"templar/protocol"
)

// cut is the aggregator bucket of an aggregator that is killed when the parts of its second Aggregate are stored.
type cut struct {
	store.Bucket
	kill context.CancelFunc

	mu   sync.Mutex
	sent map[string]int // parts, by key
	key  string         // of that Aggregate
	done int            // Aggregates
}

func (c *cut) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	c.mu.Lock()
	c.sent[u.Key]++
	c.mu.Unlock()
	return c.Bucket.PutPart(ctx, u, number, body, size)
}

func (c *cut) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	if k, ok := protocol.ParseKey(u.Key); ok && k.Kind == protocol.KindAggregate {
		if c.done++; c.done == 2 {
			c.key = u.Key
			c.kill()
			return store.Info{}, ctx.Err()
		}
	}
	return c.Bucket.CompleteUpload(ctx, u, parts, o)
}

// An aggregator that is killed while it sends an Aggregate goes on with that upload when it is started again.
func TestRestartGoesOnWithAnUpload(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		net.Start("aggregator-0")
		x := net.Node("aggregator-0").Parts()
		ctx, kill := context.WithCancel(net.Context())
		defer kill()
		bucket := &cut{Bucket: x.Aggregator, kill: kill, sent: make(map[string]int)}
		x.Aggregator = bucket
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for _, ctx := range []context.Context{ctx, net.Context()} {
				d := x.ForAggregator()
				d.Shelf.InParts = 1
				_ = aggregator.New(role.Config{}, d).Run(ctx) // it ends with the context
			}
		}()
		net.RunWindows(3)
		net.RequireSameState()
		for i := range 3 {
			if key := protocol.AggregateKey(net.Window(i), 0); bucket.sent[key] != 1 {
				t.Errorf("window %d: %d parts were sent, want 1", i, bucket.sent[key])
			}
		}
		if signed := object(net.Context(), t, x.Local, bucket.key); bucket.key != protocol.AggregateKey(net.Window(1), 0) || !bytes.Equal(contents(t, net)[bucket.key], signed) {
			t.Error("it was not killed, or published another Aggregate than it had signed")
		}
		if left, err := net.Bucket("aggregator").Uploads(net.Context(), ""); err != nil || len(left) > 0 {
			t.Errorf("unfinished uploads: %v, %v", left, err)
		}
	})
}
