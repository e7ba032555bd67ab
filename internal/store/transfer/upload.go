package transfer

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"templar/internal/store"
)

// ErrCorrupt is wrapped when an object has another SHA-256 than it should.
var ErrCorrupt = errors.New("content has another SHA-256 than announced")

// Upload stores body's first size bytes under key. From o.Threshold on it sends parts; when
// the bucket has an unfinished upload of the key that begins with the same part it goes on with
// that one, and sends what is missing there or has another content. An upload that fails is left
// for the next run to go on with, but for one that finds its key taken: that one is dropped. After
// an upload in parts that succeeded no unfinished one of the key is left, if the store lets them be
// dropped.
//
// With o.IfAbsent several may upload different objects to one key: one succeeds, and the others
// get store.ErrExists, mostly before they have sent everything. It takes a store that honours the
// condition when an upload is completed (RefusesTaken).
func Upload(ctx context.Context, b store.Bucket, key string, body io.ReaderAt, size int64, o Options) (store.Info, error) {
	o = o.withDefaults()
	if err := store.CheckPut(key, size); err != nil {
		return store.Info{}, err
	}
	if err := checkDigest(ctx, body, size, o.SHA256); err != nil {
		return store.Info{}, fmt.Errorf("upload %q: %w", key, err)
	}
	done := newProgress(o.Progress, size)
	if size < o.Threshold {
		info, err := b.Put(ctx, key, body, size, store.PutOptions{IfAbsent: o.IfAbsent})
		if err == nil {
			done.moved(size)
		}
		return info, err
	}
	o.PartSize = max(o.PartSize, store.MinPart)
	u := &upload{bucket: b, key: key, body: body, layout: o.layout(size), options: o, done: done}
	info, err := u.run(ctx)
	if errors.Is(err, store.ErrNotFound) { // dropped meanwhile, by another one that succeeded?
		err = cmp.Or(u.checkAbsent(ctx), err)
	}
	if errors.Is(err, store.ErrExists) {
		err = errors.Join(err, u.drop(ctx))
	}
	if err != nil {
		return store.Info{}, fmt.Errorf("upload %q: %w", key, err)
	}
	return info, nil
}

type upload struct {
	bucket  store.Bucket
	key     string
	body    io.ReaderAt
	layout  layout
	options Options
	done    *progress
}

func (u *upload) run(ctx context.Context) (store.Info, error) {
	if err := u.checkAbsent(ctx); err != nil {
		return store.Info{}, err
	}
	to, have, err := u.begin(ctx)
	if err != nil {
		return store.Info{}, err
	}
	parts := make([]store.Part, u.layout.count())
	err = u.options.each(ctx, len(parts), func(ctx context.Context, i int) (err error) {
		parts[i], err = u.send(ctx, to, i, have[i+1])
		return err
	})
	if err != nil {
		return store.Info{}, err
	}
	made, err := u.bucket.CompleteUpload(ctx, to, parts, store.PutOptions{IfAbsent: u.options.IfAbsent})
	if err != nil {
		return store.Info{}, err
	}
	info, err := u.bucket.Head(ctx, u.key)
	if err != nil {
		return store.Info{}, err
	}
	if info.Size != u.layout.size || info.ETag != made.ETag {
		return store.Info{}, fmt.Errorf("%w: %d bytes, ETag %q; sent %d bytes, ETag %q", store.ErrChanged, info.Size, info.ETag, u.layout.size, made.ETag)
	}
	// What cannot be dropped now is by the next upload of the key: the object is stored, and
	// an error would send the caller to store it again.
	_ = u.drop(ctx)
	return info, nil
}

// checkAbsent spares sending what could not be stored.
func (u *upload) checkAbsent(ctx context.Context) error {
	if !u.options.IfAbsent {
		return nil
	}
	_, err := u.bucket.Head(ctx, u.key)
	if err == nil {
		return fmt.Errorf("object %q: %w", u.key, store.ErrExists)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// begin finds the newest unfinished upload of the key that has the first part, with its parts by
// number, or begins one. In one without that part another run may be at work on another object.
func (u *upload) begin(ctx context.Context) (store.Upload, map[int]store.Part, error) {
	uploads, err := u.unfinished(ctx)
	if err != nil {
		return store.Upload{}, nil, err
	}
	for _, candidate := range slices.Backward(uploads) {
		parts, err := u.bucket.Parts(ctx, candidate)
		if errors.Is(err, store.ErrNotFound) {
			continue // dropped meanwhile
		}
		if err != nil {
			return store.Upload{}, nil, err
		}
		have := make(map[int]store.Part, len(parts))
		for _, p := range parts {
			have[p.Number] = p
		}
		if ours, err := u.stored(ctx, 0, have[1]); ours || err != nil {
			return candidate, have, err
		}
	}
	begun, err := u.bucket.CreateUpload(ctx, u.key)
	return begun, nil, err
}

// unfinished returns the key's unfinished uploads, none where the store or the key's rights
// do not let them be seen: then every run begins anew.
func (u *upload) unfinished(ctx context.Context) ([]store.Upload, error) {
	found, err := u.bucket.Uploads(ctx, u.key)
	if errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrInvalid) {
		return nil, nil
	}
	var own []store.Upload
	for _, f := range found {
		if f.Key == u.key {
			own = append(own, f)
		}
	}
	return own, err
}

// send stores part i, unless the store has it already.
func (u *upload) send(ctx context.Context, to store.Upload, i int, have store.Part) (store.Part, error) {
	offset, n := u.layout.at(i)
	switch is, err := u.stored(ctx, i, have); {
	case err != nil:
		return store.Part{}, err
	case is:
		u.done.found(n)
		return have, nil
	}
	p, err := u.bucket.PutPart(ctx, to, i+1, io.NewSectionReader(u.body, offset, n), n)
	if err == nil {
		u.done.moved(n)
	}
	return p, err
}

// stored reports whether a part that the store has is part i.
func (u *upload) stored(ctx context.Context, i int, have store.Part) (bool, error) {
	offset, n := u.layout.at(i)
	if have.Size != n || have.Number != i+1 {
		return false, nil
	}
	sum, err := digest(ctx, md5.New(), io.NewSectionReader(u.body, offset, n), n)
	return err == nil && have.ETag == hex.EncodeToString(sum), err
}

// drop ends whatever unfinished uploads of the key there are.
func (u *upload) drop(ctx context.Context) error {
	left, err := u.unfinished(ctx)
	for _, l := range left {
		err = errors.Join(err, u.bucket.AbortUpload(ctx, l))
	}
	return err
}

// checkDigest reads the body through, if it is known what it should be.
func checkDigest(ctx context.Context, body io.ReaderAt, size int64, want *[32]byte) error {
	if want == nil {
		return nil
	}
	got, err := digest(ctx, sha256.New(), body, size)
	if err == nil && [32]byte(got) != *want {
		err = fmt.Errorf("%w: %x, want %x", ErrCorrupt, got, *want)
	}
	return err
}

// digest is the hash of body's first size bytes.
func digest(ctx context.Context, h hash.Hash, body io.ReaderAt, size int64) ([]byte, error) {
	buf := make([]byte, 64<<10)
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := body.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		h.Write(buf[:n])
		if at += int64(n); err != nil && at < size {
			return nil, fmt.Errorf("%w: body of %d bytes ends after %d: %w", store.ErrInvalid, size, at, err)
		}
	}
	return h.Sum(nil), nil
}
