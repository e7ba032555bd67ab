package transfer

import (
	"context"
	"errors"
	"strings"

	"templar/internal/store"
)

// RefusesTaken finds out whether a bucket refuses to complete an upload whose key is taken, as it is asked to: a store
// may ignore that condition, or know it for Put alone. The object at u.Key is there, and may be replaced. The
// caller aborts u.
func RefusesTaken(ctx context.Context, b store.Bucket, u store.Upload) (bool, error) {
	const body = "another"
	p, err := b.PutPart(ctx, u, 1, strings.NewReader(body), int64(len(body)))
	if err != nil {
		return false, err
	}
	switch _, err = b.CompleteUpload(ctx, u, []store.Part{p}, store.PutOptions{IfAbsent: true}); {
	case errors.Is(err, store.ErrExists):
		return true, nil
	case errors.Is(err, store.ErrInvalid): // the condition is not known
		return false, nil
	}
	return false, err
}
