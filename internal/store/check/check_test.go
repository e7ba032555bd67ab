package check_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/check"
	"templar/internal/store/mem"
	"templar/internal/store/s3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buckets are one bucket seen with a key that writes and one that reads.
func buckets(t *testing.T, now func() time.Time, readerWrites bool) (write, read store.Bucket) {
	t.Helper()
	s := mem.New(now)
	if err := errors.Join(s.CreateBucket("bucket"), s.AddKeys(
		store.Key{AccessKey: "writer", Secret: "secret", Grants: []store.Grant{{Bucket: "bucket", Write: true}}},
		store.Key{AccessKey: "reader", Secret: "secret", Grants: []store.Grant{{Bucket: "bucket", Write: readerWrites}}},
	)); err != nil {
		t.Fatal(err)
	}
	dial := func(key string) store.Bucket {
		b, err := s.Dial(store.Location{Bucket: "bucket", AccessKey: key, Secret: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return dial("writer"), dial("reader")
}

// results runs a check and returns what each step came to.
func results(t *testing.T, write, read store.Bucket) (map[string]check.Result, bool) {
	t.Helper()
	got := map[string]check.Result{}
	ok, err := check.Run(t.Context(), check.Config{Write: write, Read: read, Clock: clock.Wall{}, Report: func(r check.Result) {
		if _, twice := got[r.Name]; twice || r.Detail == "" || r.Status == check.Fail && r.Fix == "" || strings.Contains(r.Detail+r.Fix, "%!") {
			t.Errorf("result %+v", r)
		}
		got[r.Name] = r
	}})
	if err != nil {
		t.Fatal(err)
	}
	return got, ok
}

func wantEmpty(t *testing.T, b store.Bucket) {
	t.Helper()
	infos, err := b.List(t.Context(), "", "", 10)
	uploads, err2 := b.Uploads(t.Context(), "")
	if err := errors.Join(err, err2); err != nil || len(infos)+len(uploads) > 0 {
		t.Errorf("left in the bucket: %v %v, %v", infos, uploads, err)
	}
}

func TestGoodBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		write, read := buckets(t, time.Now, false)
		begin := time.Now()
		got, ok := results(t, write, read)
		for name, r := range got {
			if r.Status != check.OK {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if len(got) != 13 || !ok || time.Since(begin) > 10*time.Second {
			t.Errorf("%d steps, ok %v, after %v", len(got), ok, time.Since(begin))
		}
		wantEmpty(t, write)
	})
}

// spoilt is a bucket with faults.
type spoilt struct {
	store.Bucket
	delay, putDelay time.Duration
	overwrites      bool // ignores conditions
	unordered       bool
	frozen          bool // dates nothing anew
	wholeRanges     bool
	noParts, keeps  bool
	joinsOver       bool // ignores conditions when an upload is completed
	joinsNever      bool // knows no conditions then
	unseen          bool // lists no uploads
	from            time.Time
}

func (s spoilt) Head(ctx context.Context, key string) (store.Info, error) {
	if err := (clock.Wall{}).Sleep(ctx, s.delay); err != nil {
		return store.Info{}, err
	}
	info, err := s.Bucket.Head(ctx, key)
	if s.frozen {
		info.LastModified = s.from
	}
	return info, err
}

func (s spoilt) List(ctx context.Context, prefix, after string, most int) ([]store.Info, error) {
	infos, err := s.Bucket.List(ctx, prefix, after, most)
	if s.unordered {
		slices.Reverse(infos)
	}
	for i := range infos {
		if s.frozen {
			infos[i].LastModified = s.from
		}
	}
	return infos, err
}

func (s spoilt) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := (clock.Wall{}).Sleep(ctx, s.putDelay); err != nil {
		return store.Info{}, err
	}
	if s.overwrites {
		o = store.PutOptions{}
	}
	return s.Bucket.Put(ctx, key, body, size, o)
}

func (s spoilt) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	if s.wholeRanges {
		etag = ""
	}
	return s.Bucket.GetRange(ctx, key, offset, n, etag)
}

func (s spoilt) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if s.noParts {
		return store.Part{}, store.ErrInvalid
	}
	return s.Bucket.PutPart(ctx, u, number, body, size)
}

func (s spoilt) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	if s.joinsNever && o.IfAbsent {
		return store.Info{}, store.ErrInvalid
	}
	if s.joinsOver {
		o = store.PutOptions{}
	}
	return s.Bucket.CompleteUpload(ctx, u, parts, o)
}

func (s spoilt) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	if s.unseen {
		return nil, store.ErrDenied
	}
	return s.Bucket.Uploads(ctx, prefix)
}

func (s spoilt) Delete(ctx context.Context, key string) error {
	if s.keeps {
		return nil
	}
	return s.Bucket.Delete(ctx, key)
}

func TestFaultsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*spoilt)
		off   time.Duration // the store's clock
		both  bool          // the read key writes
		step  string
		want  check.Status
	}{
		"far away":             {spoil: func(s *spoilt) { s.delay = 600 * time.Millisecond }, step: "latency", want: check.Warn},
		"narrow":               {spoil: func(s *spoilt) { s.putDelay = time.Second }, step: "throughput", want: check.Warn},
		"overwrites":           {spoil: func(s *spoilt) { s.overwrites = true }, step: "create once", want: check.Fail},
		"unordered":            {spoil: func(s *spoilt) { s.unordered = true }, step: "list order", want: check.Fail},
		"dates nothing":        {spoil: func(s *spoilt) { s.frozen = true }, step: "last modified", want: check.Fail},
		"ignores If-Match":     {spoil: func(s *spoilt) { s.wholeRanges = true }, step: "ranges", want: check.Fail},
		"no parts":             {spoil: func(s *spoilt) { s.noParts = true }, step: "multipart", want: check.Fail},
		"no parts, unseen":     {spoil: func(s *spoilt) { s.noParts, s.unseen = true, true }, step: "multipart", want: check.Fail},
		"hides uploads":        {spoil: func(s *spoilt) { s.unseen = true }, step: "multipart", want: check.Warn},
		"joins over":           {spoil: func(s *spoilt) { s.joinsOver = true }, step: "once in parts", want: check.Warn},
		"knows no condition":   {spoil: func(s *spoilt) { s.joinsNever = true }, step: "once in parts", want: check.Warn},
		"deletes nothing":      {spoil: func(s *spoilt) { s.keeps = true }, step: "delete", want: check.Fail},
		"clock ahead":          {off: 10 * time.Second, step: "clock", want: check.Fail},
		"clock behind":         {off: -10 * time.Second, step: "clock", want: check.Fail},
		"clock a little ahead": {off: 1500 * time.Millisecond, step: "clock", want: check.OK},
		"read key writes":      {both: true, step: "read key", want: check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				write, read := buckets(t, func() time.Time { return time.Now().Add(c.off) }, c.both)
				s := spoilt{Bucket: write, from: time.Now().Truncate(time.Second)}
				if c.spoil != nil {
					c.spoil(&s)
				}
				got, ok := results(t, s, read)
				if got[c.step].Status != c.want || ok != (c.want != check.Fail) {
					t.Errorf("%s: %+v, ok %v; want %s", c.step, got[c.step], ok, c.want)
				}
				for other, r := range got {
					if other != c.step && r.Status != check.OK && r.Status != check.Skip {
						t.Errorf("%s too: %+v", other, r)
					}
				}
				if !s.keeps {
					wantEmpty(t, write)
				}
			})
		})
	}
}

// refuses is a bucket whose puts fail.
type refuses struct {
	store.Bucket
	with error
}

func (r refuses) Put(context.Context, string, io.ReaderAt, int64, store.PutOptions) (store.Info, error) {
	return store.Info{}, r.with
}

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		write, read := buckets(t, time.Now, false)
		if got, ok := results(t, write, nil); !ok || got["read key"].Status != check.Skip {
			t.Errorf("one key: ok %v, %+v", ok, got["read key"])
		}
		if got, ok := results(t, read, nil); ok || got["write key"].Status != check.Fail || got["the rest"].Status != check.Skip || len(got) != 3 {
			t.Errorf("a read key to write with: ok %v, %+v", ok, got)
		}
		if got, _ := results(t, refuses{write, store.ErrUnauthenticated}, nil); !strings.Contains(got["write key"].Fix, "enter both again") {
			t.Errorf("a wrong secret: %+v", got["write key"])
		}
		if got, ok := results(t, write, refuses{read, store.ErrUnauthenticated}); ok || got["read key"].Status != check.Fail {
			t.Errorf("a read key that is not known when it writes: %+v", got["read key"])
		}
		if got, ok := results(t, nil, read); !ok || got["throughput"].Status != check.Skip || len(got) != 4 {
			t.Errorf("a read key alone, empty bucket: ok %v, %+v", ok, got)
		}
		if _, err := write.Put(t.Context(), "object", strings.NewReader("data"), 4, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, ok := results(t, nil, read); !ok || got["throughput"].Status != check.OK {
			t.Errorf("a read key alone: ok %v, %+v", ok, got)
		}
		if got, ok := results(t, nil, write); ok || got["read key"].Status != check.Fail {
			t.Errorf("a key that writes for readers: ok %v, %+v", ok, got)
		}
	})
}

// TestInterruptedCheckClearsAway interrupts it at every step.
func TestInterruptedCheckClearsAway(t *testing.T) {
	for after := range 13 {
		synctest.Test(t, func(t *testing.T) {
			write, read := buckets(t, time.Now, false)
			ctx, cancel := context.WithCancel(t.Context())
			steps := 0
			_, err := check.Run(ctx, check.Config{Write: write, Read: read, Clock: clock.Wall{}, Report: func(check.Result) {
				if steps++; steps > after {
					cancel()
				}
			}})
			if after < 12 && !errors.Is(err, context.Canceled) || steps != after+1 {
				t.Errorf("%v after %d steps", err, steps)
			}
			wantEmpty(t, write)
		})
	}
}

// An answer to HEAD has a status and no code. What is no store's fault has no remedy here.
func TestRemedyByStatus(t *testing.T) {
	for status, want := range map[int]string{429: "limits the rate", 503: "overloaded", 500: "out of order", 502: "out of order"} {
		if got := check.Remedy(fmt.Errorf("head: %w", &s3.Refusal{Status: status})); !strings.Contains(got, want) {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
	if got := check.Remedy(errors.New("another hash")); got != "" {
		t.Errorf("a fault of the contents: %q", got)
	}
}
