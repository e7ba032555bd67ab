package store_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/mem"
)

var errFault = errors.New("connection reset")

// flaky fails the next faults calls. What a failing Put does beforehand is its own.
type flaky struct {
	store.Bucket
	faults int
	calls  int
	onPut  func() // what really happened, when a Put fails
}

func (f *flaky) fault() error {
	f.calls++
	if f.faults--; f.faults >= 0 {
		return errFault
	}
	return nil
}

func (f *flaky) Head(ctx context.Context, key string) (store.Info, error) {
	if err := f.fault(); err != nil {
		return store.Info{}, err
	}
	return f.Bucket.Head(ctx, key)
}

func (f *flaky) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := f.fault(); err != nil {
		if f.onPut != nil {
			f.onPut()
		}
		return store.Info{}, err
	}
	return f.Bucket.Put(ctx, key, body, size, o)
}

func newBucket(t *testing.T) store.Bucket {
	t.Helper()
	s := mem.New(time.Now)
	if err := errors.Join(s.CreateBucket("bucket"), s.AddKeys(store.Key{AccessKey: "admin", Secret: "secret", Admin: true})); err != nil {
		t.Fatal(err)
	}
	b, err := s.Dial(store.Location{Bucket: "bucket", AccessKey: "admin", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putString(t *testing.T, b store.Bucket, key, body string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func middle() float64 { return 0.5 } // three quarters of each delay

func TestRetryWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{Bucket: newBucket(t), faults: 4}
		putString(t, f.Bucket, "key", "data")
		b := store.Retry(f, store.RetryPolicy{Base: time.Second, Max: 3 * time.Second, Rand: middle}, clock.Wall{})
		start := time.Now()
		if _, err := b.Head(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start), (1+2+3+3)*750*time.Millisecond; got != want || f.calls != 5 {
			t.Errorf("%d calls in %v, want 5 in %v", f.calls, got, want)
		}
	})
}

func TestRetryGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		policy store.RetryPolicy
		faults int
		calls  int
		want   error
	}{
		"attempts":          {store.RetryPolicy{Attempts: 3}, 99, 3, errFault},
		"budget":            {store.RetryPolicy{Attempts: 99, Base: time.Second, Max: time.Second, Budget: 10 * time.Second, Rand: func() float64 { return 1 }}, 99, 11, errFault},
		"not worth it":      {store.RetryPolicy{}, 0, 1, store.ErrNotFound},
		"then not worth it": {store.RetryPolicy{}, 2, 3, store.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &flaky{Bucket: newBucket(t), faults: c.faults}
				_, err := store.Retry(f, c.policy, clock.Wall{}).Head(t.Context(), "nothing")
				if !errors.Is(err, c.want) || f.calls != c.calls {
					t.Errorf("%v after %d calls, want %v after %d", err, f.calls, c.want, c.calls)
				}
			})
		})
	}
}

func TestRetryObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{Bucket: newBucket(t), faults: 99}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b := store.Retry(f, store.RetryPolicy{Base: time.Minute, Max: time.Minute, Budget: time.Hour}, clock.Wall{})
		start := time.Now()
		_, err := b.Head(ctx, "key")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errFault) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestRetryFailedButPersisted: the first attempt fails, and the key is found taken.
func TestRetryFailedButPersisted(t *testing.T) {
	for name, c := range map[string]struct {
		found string
		want  error
	}{
		"by ourselves":        {"ours", nil},
		"by somebody":         {"them", store.ErrExists},
		"by somebody shorter": {"the", store.ErrExists},
		"by somebody longer":  {"ours and more", store.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &flaky{Bucket: newBucket(t), faults: 1}
				f.onPut = func() { putString(t, f.Bucket, "key", c.found) }
				info, err := store.Retry(f, store.RetryPolicy{}, clock.Wall{}).
					Put(t.Context(), "key", strings.NewReader("ours"), 4, store.PutOptions{IfAbsent: true})
				if !errors.Is(err, c.want) || err == nil && info.Size != 4 {
					t.Errorf("%+v, %v; want error %v", info, err, c.want)
				}
			})
		})
	}
}

// A key that was taken before our first attempt is not ours, whatever it holds.
func TestRetryFirstAttemptFindsKeyTaken(t *testing.T) {
	f := &flaky{Bucket: newBucket(t)}
	putString(t, f.Bucket, "key", "ours")
	_, err := store.Retry(f, store.RetryPolicy{}, clock.Wall{}).
		Put(t.Context(), "key", strings.NewReader("ours"), 4, store.PutOptions{IfAbsent: true})
	if !errors.Is(err, store.ErrExists) || f.calls != 1 {
		t.Errorf("%v after %d calls", err, f.calls)
	}
}

// busy counts how many Heads run at once.
type busy struct {
	store.Bucket
	now, most atomic.Int64
}

func (b *busy) Head(context.Context, string) (store.Info, error) {
	n := b.now.Add(1)
	defer b.now.Add(-1)
	for m := b.most.Load(); n > m && !b.most.CompareAndSwap(m, n); m = b.most.Load() {
	}
	time.Sleep(time.Second) // of the bubble's time
	return store.Info{}, nil
}

func TestLimitBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &busy{}
		l := store.Limit(b, 3)
		start := time.Now()
		clock.Wall{}.Each(10, 10, func(int) { l.Head(t.Context(), "key") })
		if b.most.Load() != 3 || time.Since(start) != 4*time.Second {
			t.Errorf("%d at once, all done after %v; want 3 and 4s", b.most.Load(), time.Since(start))
		}
	})
}

func TestLimitBodyHoldsItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newBucket(t)
		putString(t, inner, "key", "data")
		l := store.Limit(inner, 1)
		free := func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := l.Head(ctx, "key")
			return err == nil
		}
		for name, end := range map[string]func(io.ReadCloser){
			"close": func(b io.ReadCloser) { b.Close(); b.Close() },
			"EOF":   func(b io.ReadCloser) { io.ReadAll(b); b.Close() },
		} {
			body, _, err := l.Get(t.Context(), "key", -1)
			if err != nil {
				t.Fatal(err)
			}
			if free() {
				t.Errorf("%s: an open body holds no slot", name)
			}
			end(body)
			if !free() {
				t.Errorf("%s: the slot was not given back", name)
			}
		}
		if _, _, err := l.Get(t.Context(), "nothing", -1); err == nil || !free() {
			t.Errorf("get of nothing: %v, or it kept the slot", err)
		}
	})
}

func TestMeter(t *testing.T) {
	var c store.Counters
	f := &flaky{Bucket: newBucket(t)}
	b := store.Meter(f, &c)
	putString(t, b, "key", "0123456789")
	body, _, err := b.Get(t.Context(), "key", -1)
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, body, 4)
	body.Close()
	b.Get(t.Context(), "key", 5) // ErrTooLarge
	b.GetRange(t.Context(), "key", 0, 3, "")
	b.List(t.Context(), "", "", 10)
	b.Delete(t.Context(), "key")
	b.Head(t.Context(), "key") // ErrNotFound: an answer
	f.faults = 1
	b.Head(t.Context(), "key")
	want := store.Counts{Requests: 8, Errors: 2, BytesUp: 10, BytesDown: 4}
	if got := c.Snapshot(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReadOnlyHasNoWayBack(t *testing.T) {
	r := store.ReadOnly(newBucket(t))
	if _, ok := r.(store.Bucket); ok {
		t.Error("a read-only bucket can be made a bucket again")
	}
	if _, ok := r.(interface {
		Delete(context.Context, string) error
	}); ok {
		t.Error("a read-only bucket can delete")
	}
}
