package mailbox

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"

	"templar/internal/store"
	"templar/internal/store/transfer"
)

const (
	inParts   = 32 << 20 // Shelf.InParts: a smaller object is sent again in seconds
	partBytes = 8 << 20  // together with the next, what a broken link costs
	partsSent = 4        // at once
)

// Create stores an object unless there is one: created is false then. A large one is sent in parts: after a broken
// connection, or in another process, the next call with the same object sends those that are missing. After a request with an
// unknown outcome, created may be false for the own object.
//
// It is not for objects whose dates count: some stores date an object in parts by the beginning of its upload.
func (s *Shelf) Create(ctx context.Context, key string, b []byte) (created bool, err error) {
	o := transfer.Options{
		Threads: partsSent, PartSize: partBytes, Threshold: cmp.Or(s.InParts, inParts), IfAbsent: true, Clock: s.Schedule.Clock,
	}
	if int64(len(b)) >= o.Threshold && !s.refusesTaken(ctx) {
		o.Threshold = math.MaxInt64
	}
	_, err = transfer.Upload(ctx, s.Bucket, key, bytes.NewReader(b), int64(len(b)), o)
	if errors.Is(err, store.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// refusesTaken reports whether the store completes no upload whose key is taken. Where it would, another aggregator's
// object could be replaced. It is tried once, and again while requests fail.
func (s *Shelf) refusesTaken(ctx context.Context) bool {
	if s.refuses == nil {
		refuses, err := s.tryTaken(ctx)
		if err != nil && !errors.Is(err, store.ErrDenied) && !errors.Is(err, store.ErrInvalid) {
			return false
		}
		if !refuses && ctx.Err() == nil {
			s.Log.Warn("the store cannot create an object in parts unless there is one: aggregates are sent as a whole", "err", err)
		}
		s.refuses = &refuses
	}
	return *s.refuses
}

func (s *Shelf) tryTaken(ctx context.Context) (bool, error) {
	key := "templar-check-" + s.Hotkey.String()
	if err := store.PutBytes(ctx, s.Bucket, key, []byte("taken"), store.PutOptions{}); err != nil {
		return false, err
	}
	u, err := s.Bucket.CreateUpload(ctx, key)
	if err != nil {
		return false, errors.Join(err, s.Bucket.Delete(ctx, key))
	}
	refuses, err := transfer.RefusesTaken(ctx, s.Bucket, u)
	return refuses, errors.Join(err, s.Bucket.AbortUpload(ctx, u), s.Bucket.Delete(ctx, key))
}
