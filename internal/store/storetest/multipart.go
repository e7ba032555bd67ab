package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"templar/internal/store"
)

const part = store.MinPart

// begin starts an upload.
func begin(t *testing.T, b store.Bucket, key string) store.Upload {
	t.Helper()
	u, err := b.CreateUpload(t.Context(), key)
	if err != nil {
		t.Fatalf("create upload of %q: %v", key, err)
	}
	if u.Key != key || u.ID == "" {
		t.Errorf("create upload of %q gives %+v", key, u)
	}
	return u
}

func putPart(t *testing.T, b store.Bucket, u store.Upload, number int, data []byte) store.Part {
	t.Helper()
	p, err := b.PutPart(t.Context(), u, number, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("put part %d: %v", number, err)
	}
	if p.Number != number || p.Size != int64(len(data)) || p.ETag == "" {
		t.Errorf("part %d of %d bytes gives %+v", number, len(data), p)
	}
	return p
}

func complete(t *testing.T, b store.Bucket, u store.Upload, parts ...store.Part) store.Info {
	t.Helper()
	info, err := b.CompleteUpload(t.Context(), u, parts, store.PutOptions{})
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	return info
}

// multipart sends parts out of their order, and one twice.
func multipart(t *testing.T, f Fixture) {
	data := pattern(2*part + 1000)
	u := begin(t, f.Bucket, "key")
	third := putPart(t, f.Bucket, u, 3, data[2*part:])
	putPart(t, f.Bucket, u, 1, pattern(part + 1)[1:]) // to be replaced
	second := putPart(t, f.Bucket, u, 2, data[part:2*part])
	first := putPart(t, f.Bucket, u, 1, data[:part])

	parts := []store.Part{first, second, third}
	if got, err := f.Bucket.Parts(t.Context(), u); err != nil || !slices.Equal(got, parts) {
		t.Errorf("parts: %+v, %v; want %+v", got, err, parts)
	}
	made := complete(t, f.Bucket, u, parts...)
	got, info := get(t, f.Bucket, "key")
	if !bytes.Equal(got, data) {
		t.Error("got other bytes than were put")
	}
	if made.Key != "key" || made.Size != int64(len(data)) || made.ETag != info.ETag || info.Size != made.Size {
		t.Errorf("complete gives %+v, get %+v", made, info)
	}
	if want := store.PartsETag(parts); !strings.HasPrefix(info.ETag, want) {
		t.Errorf("ETag %q does not begin with the MD5 of the parts' MD5s, %q", info.ETag, want)
	}
}

// onePart: the last part is the only one that may be small, so a single one is.
func onePart(t *testing.T, f Fixture) {
	u := begin(t, f.Bucket, "key")
	complete(t, f.Bucket, u, putPart(t, f.Bucket, u, 1, []byte("small")))
	if got, _ := get(t, f.Bucket, "key"); string(got) != "small" {
		t.Errorf("got %q", got)
	}
}

// partsThatDoNotJoin: what Cloudflare R2 refuses is refused everywhere.
func partsThatDoNotJoin(t *testing.T, f Fixture) {
	u := begin(t, f.Bucket, "key")
	a := putPart(t, f.Bucket, u, 1, pattern(part))
	b := putPart(t, f.Bucket, u, 2, pattern(part))
	larger := putPart(t, f.Bucket, u, 3, pattern(part+1))
	small := putPart(t, f.Bucket, u, 4, pattern(10))
	last := putPart(t, f.Bucket, u, 5, pattern(20))
	missing := store.Part{Number: 6, Size: part, ETag: a.ETag}
	other := store.Part{Number: 2, Size: part, ETag: last.ETag}
	for name, parts := range map[string][]store.Part{
		"none": nil, "out of order": {b, a}, "twice": {a, a}, "larger than the first": {a, larger, last}, "last is larger": {a, larger},
		"small in the middle": {a, small, last}, "number 0": {{Number: 0, Size: part, ETag: a.ETag}, b},
		"not there": {a, missing}, "of another ETag": {a, other}, "ETag that is none": {a, {Number: 2, Size: part, ETag: "zz"}},
	} {
		_, err := f.Bucket.CompleteUpload(t.Context(), u, parts, store.PutOptions{})
		wantError(t, name, err, store.ErrInvalid)
	}
	_, err := f.Bucket.Head(t.Context(), "key")
	wantError(t, "head after that", err, store.ErrNotFound)
	complete(t, f.Bucket, u, a, b, last) // the upload is as good as before
}

func invalidParts(t *testing.T, f Fixture) {
	u := begin(t, f.Bucket, "key")
	for _, number := range []int{-1, 0, store.MaxParts + 1} {
		_, err := f.Bucket.PutPart(t.Context(), u, number, strings.NewReader("x"), 1)
		wantError(t, fmt.Sprint("part ", number), err, store.ErrInvalid)
	}
	_, err := f.Bucket.PutPart(t.Context(), u, 1, strings.NewReader("x"), -1)
	wantError(t, "part of -1 bytes", err, store.ErrInvalid)
	_, err = f.Bucket.PutPart(t.Context(), u, 1, strings.NewReader("short"), 6)
	wantError(t, "part of 5 bytes announced as 6", err, store.ErrInvalid)
	if parts, err := f.Bucket.Parts(t.Context(), u); err != nil || len(parts) != 0 {
		t.Errorf("parts: %v, %v", parts, err)
	}
	_, err = f.Bucket.CreateUpload(t.Context(), "")
	wantError(t, "upload of no key", err, store.ErrInvalid)
}

// unfinished: nobody sees an upload but Uploads, until it is complete or dropped.
func unfinished(t *testing.T, f Fixture) {
	old := begin(t, f.Bucket, "key")
	u := begin(t, f.Bucket, "key")
	longer := begin(t, f.Bucket, "key-and-more")
	begin(t, f.Bucket, "other")
	p := putPart(t, f.Bucket, u, 1, []byte("data"))
	_, err := f.Bucket.Head(t.Context(), "key")
	wantError(t, "head", err, store.ErrNotFound)
	_, _, err = f.Bucket.Get(t.Context(), "key", -1)
	wantError(t, "get", err, store.ErrNotFound)
	if infos, err := f.Bucket.List(t.Context(), "", "", 10); err != nil || len(infos) != 0 {
		t.Errorf("list shows %v, %v", infos, err)
	}
	uploads(t, f, "key", old, u, longer)
	complete(t, f.Bucket, u, p)
	uploads(t, f, "key", old, longer)
}

// uploads checks what Uploads tells. Stores date uploads in whole seconds, some of them.
func uploads(t *testing.T, f Fixture, prefix string, want ...store.Upload) {
	t.Helper()
	got, err := f.Bucket.Uploads(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	id := func(u store.Upload) string { return u.Key + " " + u.ID }
	var have, ids []string
	for i, u := range got {
		if !f.LosesAnswers || slices.ContainsFunc(want, func(w store.Upload) bool { return id(w) == id(u) }) {
			have = append(have, id(u))
		}
		if u.Initiated.IsZero() || i > 0 && u.Key < got[i-1].Key {
			t.Errorf("upload %d is %+v", i, u)
		}
	}
	for _, u := range want {
		ids = append(ids, id(u))
	}
	slices.Sort(have)
	slices.Sort(ids)
	if !slices.Equal(have, ids) {
		t.Errorf("uploads of %q: %q, want %q", prefix, have, ids)
	}
}

func abort(t *testing.T, f Fixture) {
	u := begin(t, f.Bucket, "key")
	p := putPart(t, f.Bucket, u, 1, []byte("data"))
	for range 2 { // the second time there is nothing to drop
		if err := f.Bucket.AbortUpload(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	gone(t, f.Bucket, u)
	_, err := f.Bucket.CompleteUpload(t.Context(), u, []store.Part{p}, store.PutOptions{})
	wantError(t, "complete", err, store.ErrNotFound)
	uploads(t, f, "")
}

// gone checks that an upload that ended answers nothing any more.
func gone(t *testing.T, b store.Bucket, u store.Upload) {
	t.Helper()
	_, err := b.PutPart(t.Context(), u, 2, strings.NewReader("x"), 1)
	wantError(t, "put part", err, store.ErrNotFound)
	_, err = b.Parts(t.Context(), u)
	wantError(t, "parts", err, store.ErrNotFound)
}

func completeTwice(t *testing.T, f Fixture) {
	u := begin(t, f.Bucket, "key")
	p := putPart(t, f.Bucket, u, 1, []byte("data"))
	complete(t, f.Bucket, u, p)
	gone(t, f.Bucket, u)
	// Some stores remember that the object is the upload's.
	if _, err := f.Bucket.CompleteUpload(t.Context(), u, []store.Part{p}, store.PutOptions{}); err != nil {
		wantError(t, "complete", err, store.ErrNotFound)
	}
	if err := f.Bucket.AbortUpload(t.Context(), u); err != nil {
		t.Error(err)
	}
	if got, _ := get(t, f.Bucket, "key"); string(got) != "data" {
		t.Errorf("object is now %q", got)
	}
	uploads(t, f, "")
}

func completeIfAbsent(t *testing.T, f Fixture) {
	put(t, f.Bucket, "key", []byte("first"))
	u := begin(t, f.Bucket, "key")
	p := putPart(t, f.Bucket, u, 1, []byte("second"))
	_, err := f.Bucket.CompleteUpload(t.Context(), u, []store.Part{p}, store.PutOptions{IfAbsent: true})
	wantError(t, "complete where there is an object", err, store.ErrExists)
	if got, _ := get(t, f.Bucket, "key"); string(got) != "first" {
		t.Errorf("object is now %q", got)
	}
	uploads(t, f, "", u)
	complete(t, f.Bucket, u, p) // without the condition
	if got, _ := get(t, f.Bucket, "key"); string(got) != "second" {
		t.Errorf("object is %q", got)
	}
}

func completeRace(t *testing.T, f Fixture) {
	const writers = 8
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		u := begin(t, f.Bucket, "key")
		p := putPart(t, f.Bucket, u, 1, []byte{byte(i)})
		wg.Go(func() {
			_, errs[i] = f.Bucket.CompleteUpload(t.Context(), u, []store.Part{p}, store.PutOptions{IfAbsent: true})
		})
	}
	wg.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		t.Fatalf("nobody won: %v", errs)
	}
	for i, err := range errs {
		if i != winner {
			wantError(t, fmt.Sprint("writer ", i), err, store.ErrExists)
		}
	}
	if got, _ := get(t, f.Bucket, "key"); !bytes.Equal(got, []byte{byte(winner)}) {
		t.Errorf("the object is %v, the winner %d", got, winner)
	}
}

// secondCompletion: of two uploads of a key that are completed with the condition, the second fails. The object is the first's,
// and the parts of the second go when it is aborted.
func secondCompletion(t *testing.T, f Fixture) {
	once := store.PutOptions{IfAbsent: true}
	first, second := begin(t, f.Bucket, "key"), begin(t, f.Bucket, "key")
	data, other := pattern(part+10), pattern(part + 11)[1:]
	ours := []store.Part{putPart(t, f.Bucket, first, 1, data[:part]), putPart(t, f.Bucket, first, 2, data[part:])}
	theirs := []store.Part{putPart(t, f.Bucket, second, 1, other[:part]), putPart(t, f.Bucket, second, 2, other[part:])}
	if _, err := f.Bucket.CompleteUpload(t.Context(), first, ours, once); err != nil {
		t.Fatal(err)
	}
	_, err := f.Bucket.CompleteUpload(t.Context(), second, theirs, once)
	wantError(t, "second completion", err, store.ErrExists)
	if store.Retryable(err) {
		t.Errorf("worth a retry: %v", err)
	}
	if got, _ := get(t, f.Bucket, "key"); !bytes.Equal(got, data) {
		t.Error("the object is not the first upload's")
	}
	if err := f.Bucket.AbortUpload(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	gone(t, f.Bucket, second)
	uploads(t, f, "")
}

// uploadRights: a key that may only read begins, fills, ends and drops no upload.
func uploadRights(t *testing.T, f Fixture) {
	if f.ReadOnly == nil {
		t.Skip("no keys")
	}
	u := begin(t, f.Bucket, "key")
	p := putPart(t, f.Bucket, u, 1, []byte("data"))
	_, err := f.ReadOnly.CreateUpload(t.Context(), "key")
	wantLacksRight(t, "create", err)
	_, err = f.ReadOnly.PutPart(t.Context(), u, 1, strings.NewReader("xxxx"), 4)
	wantLacksRight(t, "put part", err)
	_, err = f.ReadOnly.CompleteUpload(t.Context(), u, []store.Part{p}, store.PutOptions{})
	wantLacksRight(t, "complete", err)
	wantLacksRight(t, "abort", f.ReadOnly.AbortUpload(t.Context(), u))
	complete(t, f.Bucket, u, p)
	if got, _ := get(t, f.Bucket, "key"); string(got) != "data" {
		t.Errorf("object is %q", got)
	}
}

// rangeOfETag: a range of an object that was replaced is not given out.
func rangeOfETag(t *testing.T, f Fixture) {
	info := put(t, f.Bucket, "key", []byte("0123456789"))
	body, err := f.Bucket.GetRange(t.Context(), "key", 2, 3, info.ETag)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	put(t, f.Bucket, "key", []byte("abcdefghij"))
	_, err = f.Bucket.GetRange(t.Context(), "key", 2, 3, info.ETag)
	wantError(t, "range of what was there before", err, store.ErrChanged)
	if store.Retryable(err) {
		t.Errorf("worth a retry: %v", err)
	}
}

// refusedParts is refused for the calls about uploads.
func refusedParts(t *testing.T, b store.Bucket, ctx context.Context, want error) {
	t.Helper()
	u := store.Upload{Key: "key", ID: "none"}
	_, err := b.CreateUpload(ctx, "key")
	wantError(t, "create upload", err, want)
	_, err = b.Uploads(ctx, "key")
	wantError(t, "uploads", err, want)
	_, err = b.PutPart(ctx, u, 1, strings.NewReader("x"), 1)
	wantError(t, "put part", err, want)
	_, err = b.Parts(ctx, u)
	wantError(t, "parts", err, want)
	_, err = b.CompleteUpload(ctx, u, []store.Part{{Number: 1, Size: 1, ETag: "00"}}, store.PutOptions{})
	wantError(t, "complete upload", err, want)
	if err := b.AbortUpload(ctx, u); !errors.Is(err, want) {
		t.Errorf("abort upload: got error %v, want %v", err, want)
	}
}
