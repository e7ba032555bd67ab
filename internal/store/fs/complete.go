package fs

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"

	"templar/internal/store"
)

// Complete joins the parts, of which only Number and ETag are looked at, in
// ascending order. The object's ETag is the MD5 of the parts' ETags with the number of parts
// behind it as two bytes: the same everywhere, and too long to be taken for the MD5
// of the data. What o.Header has is kept beside what the upload began with.
func (s *Store) Complete(ctx context.Context, u Upload, parts []Part, o PutOptions) (Object, error) {
	if len(parts) == 0 || len(parts) > store.MaxParts {
		return Object{}, fmt.Errorf("%w: %d parts", ErrBadPart, len(parts))
	}
	h := md5.New()
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number {
			return Object{}, fmt.Errorf("%w: %d after %d", ErrBadPart, p.Number, parts[i-1].Number)
		}
		h.Write(p.ETag)
	}
	header := maps.Clone(u.Header)
	if header == nil {
		header = map[string]string{}
	}
	maps.Copy(header, o.Header)
	obj := Object{Key: u.Key, Header: header, ETag: append(h.Sum(nil), byte(len(parts)>>8), byte(len(parts)))}
	obj, err := s.join(ctx, u, parts, obj, o.Check)
	if err != nil {
		return Object{}, err
	}
	return obj, s.Abort(u)
}

// join publishes the parts as an object: their common file, or else a copy.
func (s *Store) join(ctx context.Context, u Upload, parts []Part, obj Object, check func(old *Object) error) (Object, error) {
	if f, size, ok := s.sealSlots(u, parts); ok {
		defer f.Close()
		obj.Size = size
		obj, err := s.publish(f, u.Bucket, obj, check)
		if err != nil {
			s.unsealSlots(u)
		}
		return obj, err
	}
	f, err := os.CreateTemp(s.tmp(), "join-*")
	if err != nil {
		return Object{}, fmt.Errorf("complete upload: %w", err)
	}
	defer discard(f)
	for _, p := range parts {
		n, err := s.appendPart(ctx, f, u, p)
		if err != nil {
			return Object{}, err
		}
		obj.Size += n
	}
	return s.publish(f, u.Bucket, obj, check)
}

func (s *Store) appendPart(ctx context.Context, dst *os.File, u Upload, p Part) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r, have, err := s.openPart(u, p.Number)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: number %d", ErrBadPart, p.Number)
	}
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if !bytes.Equal(have.ETag, p.ETag) {
		return 0, fmt.Errorf("%w: number %d", ErrBadPart, p.Number)
	}
	return io.CopyN(dst, r, have.Size)
}
