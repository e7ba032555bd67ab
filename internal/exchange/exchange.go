package exchange

import (
	"context"
	"sync"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Exchange is one node's access to the others.
type Exchange struct {
	run.Run
	Clock      clock.Clock
	Chain      chain.Chain
	Directory  *directory.Directory
	Signer     protocol.Signer
	UID        protocol.UID
	Own        store.Bucket // this node's bucket
	Aggregator store.Bucket // the aggregator bucket; only an aggregator holds a key that writes

	mu struct {
		sync.Mutex
		list  *wire.PeerList             // the last that was read
		swept map[string]protocol.Window // when buckets were last swept
	}
}

// Poll is the pause between two looks at something that is not there yet: short
// beside a block, and never a burden to a store.
func (x *Exchange) Poll() time.Duration {
	return min(max(x.Params.BlockTime()/4, 20*time.Millisecond), 2*time.Second)
}

// Put stores body under key in the node's own bucket.
func (x *Exchange) Put(ctx context.Context, key string, body []byte) error {
	return store.PutBytes(ctx, x.Own, key, body, store.PutOptions{})
}

// PutOnce is Put for what is written once: an error that wraps store.ErrExists means that
// another object stands there.
func (x *Exchange) PutOnce(ctx context.Context, key string, body []byte) error {
	return store.PutBytes(ctx, x.Own, key, body, store.PutOptions{IfAbsent: true})
}

// EndOf returns the first block of the window after w, as soon as it exists: its time
// is T, from which the deadlines of w are counted.
func (x *Exchange) EndOf(ctx context.Context, w protocol.Window) (chain.Block, error) {
	return x.Chain.Wait(ctx, x.Params.FirstBlock(w+1))
}

// EvaluationSeed returns the chain's randomness at the first block after the upload
// deadline of the window that ended with block end: no miner could know it when it
// uploaded, and everyone can look it up afterwards.
func (x *Exchange) EvaluationSeed(ctx context.Context, end chain.Block) (protocol.Hash, error) {
	deadline := x.Params.UploadBounds(end.Time).Max
	for n := end.Number + 1; ; n++ {
		b, err := x.Chain.Wait(ctx, n)
		if err != nil {
			return protocol.Hash{}, err
		}
		if b.Time.After(deadline) {
			return x.Chain.Randomness(ctx, n)
		}
	}
}
