// Package bulletin reads and posts the announcements in validators' buckets: the window in which
// the run starts, and the peers whose gradients are gathered. The validator with the highest stake
// leads.
package bulletin

import (
	"context"
	"sync"

	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Board reads and posts announcements.
type Board struct {
	Run       run.Run
	Schedule  schedule.Schedule
	Directory *directory.Directory
	Signer    protocol.Signer
	Own       store.Bucket // the node's own, to post in; nil for one that only reads
	Local     store.Bucket // its own directory, where it keeps the announcement; nil: it keeps none

	mu struct {
		sync.Mutex
		list *wire.PeerList // the last that was read
	}
}

func (b *Board) put(ctx context.Context, key string, body []byte) error {
	return store.PutBytes(ctx, b.Own, key, body, store.PutOptions{})
}

// AwaitStart waits until the run is announced. After each failed attempt it calls
// waiting with the error of the chain or of Start.
func (b *Board) AwaitStart(ctx context.Context, waiting func(why error)) (wire.StartWindow, error) {
	for {
		var s wire.StartWindow
		err := b.Directory.Refresh(ctx)
		if err == nil {
			s, err = b.Start(ctx)
		}
		if err == nil || Hopeless(err) {
			return s, err
		}
		waiting(err)
		if err := b.Schedule.Clock.Sleep(ctx, b.Schedule.Poll()); err != nil {
			return s, err
		}
	}
}
