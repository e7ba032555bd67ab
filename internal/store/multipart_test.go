package store_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"templar/internal/clock"
	"templar/internal/store"
)

// lossy loses the answers of the next calls of CompleteUpload and Head.
type lossy struct {
	store.Bucket
	completes, heads int
}

func (l *lossy) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	info, err := l.Bucket.CompleteUpload(ctx, u, parts, o)
	if l.completes--; l.completes >= 0 {
		return store.Info{}, errFault
	}
	return info, err
}

func (l *lossy) Head(ctx context.Context, key string) (store.Info, error) {
	if l.heads--; l.heads >= 0 {
		return store.Info{}, errFault
	}
	return l.Bucket.Head(ctx, key)
}

// begun is an upload of one part.
func begun(t *testing.T, b store.Bucket, body string) (store.Upload, []store.Part) {
	t.Helper()
	u, err := b.CreateUpload(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.PutPart(t.Context(), u, 1, strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	return u, []store.Part{p}
}

func TestRetryCompletedButAnswerLost(t *testing.T) {
	for name, c := range map[string]struct {
		completes, heads int
		meanwhile        string // what somebody else puts before the answer is asked for again
		ifAbsent         bool
		want             error
	}{
		"once":                  {completes: 1},
		"if absent":             {completes: 1, ifAbsent: true},
		"head fails at first":   {completes: 1, heads: 1},
		"somebody else's":       {completes: 1, meanwhile: "them", want: store.ErrNotFound},
		"somebody else's, once": {completes: 1, meanwhile: "them", ifAbsent: true, want: store.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newBucket(t)
				l := &lossy{Bucket: inner, completes: c.completes, heads: c.heads}
				u, parts := begun(t, inner, "ours")
				b := store.Retry(meddled{l, func() {
					if c.meanwhile != "" {
						putString(t, inner, "key", c.meanwhile)
					}
				}}, store.RetryPolicy{}, clock.Wall{})
				info, err := b.CompleteUpload(t.Context(), u, parts, store.PutOptions{IfAbsent: c.ifAbsent})
				if !errors.Is(err, c.want) || err == nil && (info.Size != 4 || info.ETag == "") {
					t.Errorf("%+v, %v; want error %v", info, err, c.want)
				}
			})
		})
	}
}

// meddled does something after each CompleteUpload.
type meddled struct {
	store.Bucket
	after func()
}

func (m meddled) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	defer m.after()
	return m.Bucket.CompleteUpload(ctx, u, parts, o)
}

// A key that was taken before our first attempt is not ours, though the parts make the same.
func TestRetryFirstCompleteFindsKeyTaken(t *testing.T) {
	b := newBucket(t)
	u, parts := begun(t, b, "ours")
	putString(t, b, "key", "ours")
	_, err := store.Retry(b, store.RetryPolicy{}, clock.Wall{}).CompleteUpload(t.Context(), u, parts, store.PutOptions{IfAbsent: true})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v", err)
	}
}

func TestMeterOfParts(t *testing.T) {
	var c store.Counters
	b := store.Meter(newBucket(t), &c)
	u, parts := begun(t, b, "0123456789")
	b.Parts(t.Context(), u)
	b.Uploads(t.Context(), "")
	b.PutPart(t.Context(), u, 2, io.NewSectionReader(strings.NewReader(""), 0, 0), 5) // short
	if _, err := b.CompleteUpload(t.Context(), u, parts, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	b.AbortUpload(t.Context(), u)
	want := store.Counts{Requests: 7, Errors: 1, BytesUp: 10}
	if got := c.Snapshot(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPartsETag(t *testing.T) {
	a := store.Part{ETag: "900150983cd24fb0d6963f7d28e17f72"} // MD5 of abc
	if got, want := store.PartsETag([]store.Part{a, a}), "043a916d6cfeecedf5e04f0312ba762d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, etag := range []string{"", "xyz", "900150983cd24fb0d6963f7d28e17f72-1", "9001"} {
		if got := store.PartsETag([]store.Part{a, {ETag: etag}}); got != "" {
			t.Errorf("ETag %q: got %q", etag, got)
		}
	}
}
