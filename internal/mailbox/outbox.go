package mailbox

import (
	"context"

	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
)

// Outbox is a node's own bucket. It is for one role's loop: Prune remembers its last sweep.
type Outbox struct {
	Run      run.Run
	Schedule schedule.Schedule
	Bucket   store.Bucket
	Signer   protocol.Signer
	UID      protocol.UID

	sweeps sweeps
}

// Put stores body under key.
func (o *Outbox) Put(ctx context.Context, key string, body []byte) error {
	return store.PutBytes(ctx, o.Bucket, key, body, store.PutOptions{})
}

// PutOnce is Put for what is written once: an error that wraps store.ErrExists means that
// another object stands there.
func (o *Outbox) PutOnce(ctx context.Context, key string, body []byte) error {
	return store.PutBytes(ctx, o.Bucket, key, body, store.PutOptions{IfAbsent: true})
}
