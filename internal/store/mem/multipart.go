package mem

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"templar/internal/store"
)

// upload is an object on its way. The server's lock guards it.
type upload struct {
	store.Upload
	serial int // of the server's uploads: the order in which they began
	bucket string
	parts  map[int]part
}

type part struct {
	store.Part
	data []byte
}

func (b *bucket) CreateUpload(ctx context.Context, key string) (store.Upload, error) {
	if err := b.check(ctx, true); err != nil {
		return store.Upload{}, err
	}
	if err := store.CheckKey(key); err != nil {
		return store.Upload{}, err
	}
	return b.server.createUpload(b.name, key)
}

func (b *bucket) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	if err := b.check(ctx, false); err != nil {
		return nil, err
	}
	return b.server.findUploads(b.name, prefix)
}

func (b *bucket) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if err := b.check(ctx, true); err != nil {
		return store.Part{}, err
	}
	if err := store.CheckPart(number, size); err != nil {
		return store.Part{}, err
	}
	data, etag, err := read(body, size)
	if err != nil {
		return store.Part{}, fmt.Errorf("part %d of %q: %w", number, u.Key, err)
	}
	p := part{Part: store.Part{Number: number, Size: size, ETag: etag}, data: data}
	err = b.withUpload(u, func(own *upload) error {
		own.parts[number] = p
		return nil
	})
	return p.Part, err
}

func (b *bucket) Parts(ctx context.Context, u store.Upload) (out []store.Part, err error) {
	if err := b.check(ctx, false); err != nil {
		return nil, err
	}
	err = b.withUpload(u, func(own *upload) error {
		for _, number := range slices.Sorted(maps.Keys(own.parts)) {
			out = append(out, own.parts[number].Part)
		}
		return nil
	})
	return out, err
}

func (b *bucket) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (info store.Info, err error) {
	if err := b.check(ctx, true); err != nil {
		return store.Info{}, err
	}
	if err := store.CheckParts(parts); err != nil {
		return store.Info{}, err
	}
	err = b.withUpload(u, func(own *upload) error {
		var data bytes.Buffer
		for _, p := range parts {
			have, ok := own.parts[p.Number]
			if !ok || have.ETag != p.ETag {
				return fmt.Errorf("%w: part %d of %q is missing or has another ETag", store.ErrInvalid, p.Number, u.Key)
			}
			data.Write(have.data)
		}
		made := store.Info{Key: u.Key, Size: int64(data.Len()), ETag: store.PartsETag(parts) + "-" + strconv.Itoa(len(parts))}
		info, err = b.server.putLocked(b.name, object{info: made, data: data.Bytes()}, o.IfAbsent)
		if err == nil {
			delete(b.server.mu.uploads, u.ID)
		}
		return err
	})
	return info, err
}

func (b *bucket) AbortUpload(ctx context.Context, u store.Upload) error {
	if err := b.check(ctx, true); err != nil {
		return err
	}
	return b.server.abort(b.name, u)
}

// withUpload calls f with u while nobody else uses the server.
func (b *bucket) withUpload(u store.Upload, f func(own *upload) error) error {
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.buckets[b.name]; !ok {
		return errNoBucket(b.name)
	}
	own := s.mu.uploads[u.ID]
	if own == nil || own.bucket != b.name || own.Key != u.Key {
		return fmt.Errorf("%w: no such upload of %q", store.ErrNotFound, u.Key)
	}
	return f(own)
}

func (s *Server) createUpload(bucket, key string) (store.Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.buckets[bucket]; !ok {
		return store.Upload{}, errNoBucket(bucket)
	}
	s.mu.begun++
	u := &upload{serial: s.mu.begun, bucket: bucket, parts: map[int]part{},
		Upload: store.Upload{Key: key, ID: strconv.Itoa(s.mu.begun), Initiated: s.now().UTC()}}
	s.mu.uploads[u.ID] = u
	return u.Upload, nil
}

func (s *Server) findUploads(bucket, prefix string) ([]store.Upload, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, ok := s.mu.buckets[bucket]; !ok {
		return nil, errNoBucket(bucket)
	}
	var found []*upload
	for _, u := range s.mu.uploads {
		if u.bucket == bucket && strings.HasPrefix(u.Key, prefix) {
			found = append(found, u)
		}
	}
	slices.SortFunc(found, func(a, b *upload) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.serial, b.serial))
	})
	var out []store.Upload
	for _, u := range found[:min(len(found), 1000)] {
		out = append(out, u.Upload)
	}
	return out, nil
}

func (s *Server) abort(bucket string, u store.Upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.buckets[bucket]; !ok {
		return errNoBucket(bucket)
	}
	if own := s.mu.uploads[u.ID]; own != nil && own.bucket == bucket && own.Key == u.Key {
		delete(s.mu.uploads, u.ID)
	}
	return nil
}
