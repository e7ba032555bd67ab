package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"templar/internal/store"
)

// lying is a bucket with one object, whose size it announces wrongly.
type lying struct {
	store.Reader
	body      []byte
	announced int64
}

func (l lying) Get(context.Context, string, int64) (io.ReadCloser, store.Info, error) {
	return io.NopCloser(bytes.NewReader(l.body)), store.Info{Size: l.announced}, nil
}

// A limit holds whatever size is announced, and a huge announcement makes no room.
func TestReadAll(t *testing.T) {
	body := []byte("twelve bytes")
	for name, c := range map[string]struct {
		announced, limit int64
		err              error
	}{
		"as announced":      {12, 12, nil},
		"announced as more": {1 << 50, 12, nil},
		"announced as less": {1, 12, nil},
		"announced as none": {-1, 12, nil},
		"over the limit":    {12, 11, store.ErrTooLarge},
		"over, and hidden":  {3, 11, store.ErrTooLarge},
		"without a limit":   {12, -1, nil},
		"a far limit":       {12, 1 << 40, nil},
	} {
		got, _, err := store.ReadAll(t.Context(), lying{body: body, announced: c.announced}, "key", c.limit)
		if !errors.Is(err, c.err) || err == nil && !bytes.Equal(got, body) {
			t.Errorf("%s: %q, %v; want %v", name, got, err, c.err)
		}
	}
}

// breaking is a bucket with one object, of which each request brings so many bytes at most, and then an error.
type breaking struct {
	store.Reader
	body  []byte
	etag  string
	most  int
	reads int
}

func (b *breaking) Get(context.Context, string, int64) (io.ReadCloser, store.Info, error) {
	return b.from(0), store.Info{Size: int64(len(b.body)), ETag: b.etag}, nil
}

func (b *breaking) GetRange(_ context.Context, _ string, offset, n int64, etag string) (io.ReadCloser, error) {
	if etag != b.etag {
		return nil, store.ErrChanged
	}
	return b.from(int(offset)), nil
}

func (b *breaking) from(at int) io.ReadCloser {
	b.reads++
	end := min(at+b.most, len(b.body))
	if end == len(b.body) {
		return io.NopCloser(bytes.NewReader(b.body[at:]))
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(b.body[at:end]), iotest.ErrReader(io.ErrUnexpectedEOF)))
}

// A fetch goes on where the one before broke off, and begins again when the object was replaced meanwhile.
func TestPartialGoesOn(t *testing.T) {
	b := &breaking{body: []byte("twelve bytes"), etag: "one", most: 5}
	var p store.Partial
	fetch := func() (string, error) {
		got, err := p.Fetch(t.Context(), b, "key", -1)
		return string(got), err
	}
	for _, want := range []string{"twelv", "twelve byt"} {
		if got, err := fetch(); !errors.Is(err, io.ErrUnexpectedEOF) || got != want {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	if got, err := fetch(); err != nil || got != "twelve bytes" || b.reads != 3 {
		t.Errorf("%q, %v after %d requests", got, err, b.reads)
	}
	p = store.Partial{}
	if got, err := fetch(); err == nil {
		t.Errorf("%q", got)
	}
	b.body, b.etag, b.most = []byte("another text"), "two", 20
	if _, err := fetch(); !errors.Is(err, store.ErrChanged) {
		t.Errorf("%v", err)
	}
	if got, err := fetch(); err != nil || got != "another text" {
		t.Errorf("%q, %v", got, err)
	}
}
