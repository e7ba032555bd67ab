package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"templar/internal/versioned"
	"templar/protocol"
)

// PutBytes stores body under key.
func PutBytes(ctx context.Context, b Bucket, key string, body []byte, o PutOptions) error {
	if _, err := b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), o); err != nil {
		return fmt.Errorf("upload %s: %w", key, err)
	}
	return nil
}

// SaveFile stores a versioned file in a node's own directory, under its name.
func SaveFile(ctx context.Context, b Bucket, f versioned.File, v any) error {
	raw, err := f.Encode(v)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return PutBytes(ctx, b, f.Name, raw, PutOptions{})
}

// LoadFile reads what SaveFile stored, of at most limit bytes. The error wraps ErrNotFound when there is none, and a
// versioned.Error when another release wrote it that this one cannot follow.
func LoadFile(ctx context.Context, r Reader, f versioned.File, limit int64, v any) error {
	raw, _, err := ReadAll(ctx, r, f.Name, limit)
	if err != nil {
		return err
	}
	return f.Decode(raw, v)
}

// ReadAll fetches a whole object of at most limit bytes; a negative limit means no limit.
func ReadAll(ctx context.Context, r Reader, key string, limit int64) ([]byte, Info, error) {
	var p Partial
	b, err := p.Fetch(ctx, r, key, limit)
	return b, p.info, err
}

// Partial is what has come of one object.
type Partial struct {
	info Info
	body []byte // nil: nothing has come
}

// Fetch is ReadAll. After a call that has failed it goes on from where that one was; a replacement meanwhile gives ErrChanged, and
// the next call begins again.
func (p *Partial) Fetch(ctx context.Context, r Reader, key string, limit int64) ([]byte, error) {
	if limit < 0 {
		limit = math.MaxInt64 - 1
	}
	body, err := p.open(ctx, r, key, limit)
	if err != nil {
		return p.body, err
	}
	defer body.Close()
	b := bytes.NewBuffer(p.body)
	_, err = b.ReadFrom(io.LimitReader(body, limit+1-int64(len(p.body))))
	p.body = b.Bytes()
	if err == nil && int64(len(p.body)) > limit {
		err = ErrTooLarge
	}
	return p.body, err
}

// open asks for the whole object, or for the rest of it. It does not believe the announced size: a body over limit is
// ErrTooLarge. Room for what is announced, up to the limit, is made at once: an Aggregate may have 150 MB, and a slice that
// grows holds it twice.
func (p *Partial) open(ctx context.Context, r Reader, key string, limit int64) (body io.ReadCloser, err error) {
	if have := int64(len(p.body)); have > 0 && have < p.info.Size && p.info.ETag != "" {
		if body, err = r.GetRange(ctx, key, have, p.info.Size-have, p.info.ETag); errors.Is(err, ErrChanged) {
			*p = Partial{}
		}
		return body, err
	}
	if body, p.info, err = r.Get(ctx, key, limit); err == nil {
		p.body = make([]byte, 0, max(0, min(p.info.Size, limit))+bytes.MinRead)
	}
	return body, err
}

// VerdictOf is what a failed read means for the object's owner.
func VerdictOf(err error) protocol.Verdict {
	switch {
	case err == nil:
		return protocol.VerdictOK
	case errors.Is(err, ErrNotFound):
		return protocol.VerdictMissing
	case errors.Is(err, ErrUnauthenticated):
		return protocol.VerdictUnauthenticated
	case errors.Is(err, ErrDenied):
		return protocol.VerdictDenied
	case errors.Is(err, ErrTooLarge):
		return protocol.VerdictTooLarge
	}
	return protocol.VerdictUnreachable
}
