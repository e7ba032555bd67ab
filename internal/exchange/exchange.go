package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"templar/codec"
	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Run is what all objects of a run have in common.
type Run struct {
	Params *protocol.Params
	Hash   protocol.Hash
	Codec  *codec.Codec
}

// NewRun checks the run parameters and prepares their codec.
func NewRun(p protocol.Params) (Run, error) {
	if err := p.Validate(); err != nil {
		return Run{}, err
	}
	c, err := codec.New(p.Model.Layout(), codec.Spec{TargetChunk: p.TargetChunk, TopK: p.TopK, Scheme: codec.DefaultScheme})
	if err != nil {
		return Run{}, err
	}
	return Run{Params: &p, Hash: p.Hash(), Codec: c.Parallel(runtime.GOMAXPROCS(0), atOnce)}, nil
}

// atOnce shares the codec's work among goroutines: pure computing, so that no clock
// but the machine's needs to know.
func atOnce(n int, f func(i int)) { clock.Wall{}.Each(n, n, f) }

// Exchange is one node's access to the others.
type Exchange struct {
	Run
	Clock      clock.Clock
	Chain      chain.Chain
	Directory  *Directory
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
	return put(ctx, x.Own, key, body, store.PutOptions{})
}

// PutOnce is Put for what is written once: an error that wraps store.ErrExists means that
// another object stands there.
func (x *Exchange) PutOnce(ctx context.Context, key string, body []byte) error {
	return put(ctx, x.Own, key, body, store.PutOptions{IfAbsent: true})
}

func put(ctx context.Context, b store.Bucket, key string, body []byte, o store.PutOptions) error {
	if _, err := b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), o); err != nil {
		return fmt.Errorf("upload %s: %w", key, err)
	}
	return nil
}

// read fetches a whole object of at most limit bytes.
func read(ctx context.Context, r store.Reader, key string, limit int64) ([]byte, store.Info, error) {
	body, info, err := r.Get(ctx, key, limit)
	if err != nil {
		return nil, info, err
	}
	defer body.Close()
	b, err := readAll(body, limit, info.Size)
	return b, info, err
}

// readAll does not believe the announced size: a body over limit is ErrTooLarge. Room for
// what is announced, up to the limit, is made at once: an Aggregate may have 150 MB, and a
// slice that grows holds it twice.
func readAll(body io.Reader, limit, announced int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, max(0, min(announced, limit))+bytes.MinRead))
	_, err := b.ReadFrom(io.LimitReader(body, limit+1))
	if err == nil && int64(b.Len()) > limit {
		err = store.ErrTooLarge
	}
	return b.Bytes(), err
}

// verdictOf says what a failed read means for the object's owner.
func verdictOf(err error) protocol.Verdict {
	switch {
	case err == nil:
		return protocol.VerdictOK
	case errors.Is(err, store.ErrNotFound):
		return protocol.VerdictMissing
	case errors.Is(err, store.ErrUnauthenticated):
		return protocol.VerdictUnauthenticated
	case errors.Is(err, store.ErrDenied):
		return protocol.VerdictDenied
	case errors.Is(err, store.ErrTooLarge):
		return protocol.VerdictTooLarge
	}
	return protocol.VerdictUnreachable
}

// EndOf returns the first block of the window after w, as soon as it exists: its time
// is T, from which the deadlines of w are counted.
func (x *Exchange) EndOf(ctx context.Context, w protocol.Window) (chain.Block, error) {
	return x.Chain.Wait(ctx, x.Params.FirstBlock(w+1))
}

// EvaluationSeed returns the hash of the first block after the upload deadline of the
// window that ended with block end: no miner could know it when it uploaded, and
// everyone can look it up afterwards.
func (x *Exchange) EvaluationSeed(ctx context.Context, end chain.Block) (protocol.Hash, error) {
	deadline := x.Params.UploadBounds(end.Time).Max
	for n := end.Number + 1; ; n++ {
		b, err := x.Chain.Wait(ctx, n)
		if err != nil {
			return protocol.Hash{}, err
		}
		if b.Time.After(deadline) {
			return b.Hash, nil
		}
	}
}
