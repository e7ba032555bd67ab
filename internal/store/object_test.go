package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

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
