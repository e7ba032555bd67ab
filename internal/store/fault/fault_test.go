package fault_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/internal/store/mem"
	"templar/internal/store/storetest"
)

const text = "0123456789"

// empty makes a bucket in memory.
func empty(t *testing.T, now func() time.Time) store.Bucket {
	t.Helper()
	s := mem.New(now)
	if err := errors.Join(s.CreateBucket("bucket"), s.AddKeys(store.Key{AccessKey: "admin", Secret: "secret", Admin: true})); err != nil {
		t.Fatal(err)
	}
	b, err := s.Dial(store.Location{Bucket: "bucket", AccessKey: "admin", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// open makes a bucket in memory that holds text under "old", stored an hour ago.
func open(t *testing.T) store.Bucket {
	t.Helper()
	ago := time.Hour
	b := empty(t, func() time.Time { return time.Now().Add(-ago) })
	if err := put(t.Context(), b, "old"); err != nil {
		t.Fatal(err)
	}
	ago = 0
	return b
}

func put(ctx context.Context, b store.Bucket, key string) error {
	_, err := b.Put(ctx, key, strings.NewReader(text), int64(len(text)), store.PutOptions{})
	return err
}

func read(r io.ReadCloser, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	return string(got), err
}

func get(ctx context.Context, b store.Reader, key string) (string, error) {
	r, _, err := b.Get(ctx, key, 100)
	return read(r, err)
}

func getRange(ctx context.Context, b store.Reader, key string) (string, error) {
	return read(b.GetRange(ctx, key, 2, 6, ""))
}

// operations tries each operation once and returns what came of it, as text.
var operations = map[string]func(context.Context, store.Bucket) (string, error){
	fault.Head: func(ctx context.Context, b store.Bucket) (string, error) {
		i, err := b.Head(ctx, "old")
		return i.Key, err
	},
	fault.Get:   func(ctx context.Context, b store.Bucket) (string, error) { return get(ctx, b, "old") },
	fault.Range: func(ctx context.Context, b store.Bucket) (string, error) { return getRange(ctx, b, "old") },
	fault.List: func(ctx context.Context, b store.Bucket) (string, error) {
		infos, err := b.List(ctx, "", "", 10)
		return keys(infos), err
	},
	fault.Put:    func(ctx context.Context, b store.Bucket) (string, error) { return "", put(ctx, b, "new") },
	fault.Delete: func(ctx context.Context, b store.Bucket) (string, error) { return "", b.Delete(ctx, "old") },
}

func keys(infos []store.Info) string {
	var out []string
	for _, i := range infos {
		out = append(out, i.Key)
	}
	return strings.Join(out, " ")
}

// TestCallFaults: each fault of a whole call, at each operation.
func TestCallFaults(t *testing.T) {
	for _, c := range []struct {
		name      string
		fault     fault.Fault
		want      error
		took      time.Duration
		persisted bool
	}{
		{"none", fault.Fault{}, nil, 0, true},
		{"delay", fault.Fault{Delay: 3 * time.Second}, nil, 3 * time.Second, true},
		{"delay past the deadline", fault.Fault{Delay: time.Hour}, context.DeadlineExceeded, time.Minute, false},
		{"hang", fault.Fault{Hang: true}, context.DeadlineExceeded, time.Minute, false},
		{"error", fault.Fault{Err: fault.ErrReset}, fault.ErrReset, 0, false},
		{"error after a delay", fault.Fault{Delay: time.Second, Err: store.ErrDenied}, store.ErrDenied, time.Second, false},
		{"error, yet done", fault.Fault{Err: fault.ErrReset, Persist: true}, fault.ErrReset, 0, true},
	} {
		for op, do := range operations {
			t.Run(c.name+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					inner := open(t)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					start := time.Now()
					_, err := do(ctx, fault.Wrap(inner, clock.Wall{}, fault.Always(c.fault, op)))
					if !errors.Is(err, c.want) || time.Since(start) != c.took {
						t.Errorf("%v after %v; want %v after %v", err, time.Since(start), c.want, c.took)
					}
					_, put := inner.Head(t.Context(), "new")
					_, deleted := inner.Head(t.Context(), "old")
					if op == fault.Put && (put == nil) != c.persisted || op == fault.Delete && (deleted != nil) != c.persisted {
						t.Errorf("put: %v, deleted: %v; want persisted %v", put, deleted, c.persisted)
					}
				})
			})
		}
	}
}

// TestBodyFaults: what a reader gets of a body.
func TestBodyFaults(t *testing.T) {
	for _, c := range []struct {
		name       string
		fault      fault.Fault
		get, rng   string
		err        error
		took       time.Duration // of the Get
		afterRange error
	}{
		{"none", fault.Fault{}, text, "234567", nil, 0, nil},
		{"truncate", fault.Fault{Damage: fault.Truncate, At: 3}, "012", "234", io.ErrUnexpectedEOF, 0, io.ErrUnexpectedEOF},
		{"truncate at once", fault.Fault{Damage: fault.Truncate}, "", "", io.ErrUnexpectedEOF, 0, io.ErrUnexpectedEOF},
		{"truncate past the end", fault.Fault{Damage: fault.Truncate, At: 99}, text, "234567", nil, 0, nil},
		{"corrupt", fault.Fault{Damage: fault.Corrupt, At: 4}, "0123556789", "234577", nil, 0, nil},
		{"corrupt past the end", fault.Fault{Damage: fault.Corrupt, At: 10}, text, "234567", nil, 0, nil},
		{"stall", fault.Fault{Damage: fault.Stall, At: 3}, "012", "234", context.DeadlineExceeded, time.Minute, context.DeadlineExceeded},
		{"drip", fault.Fault{Drip: 2}, text, "234567", nil, 5 * time.Second, nil},
		{"drip faster", fault.Fault{Drip: 100}, text, "234567", nil, 100 * time.Millisecond, nil},
		{"drip past the deadline", fault.Fault{Drip: 1, Delay: 55 * time.Second}, "01234", "", context.DeadlineExceeded, time.Minute, context.DeadlineExceeded},
		{"announced longer", fault.Fault{Grow: 1}, text, "234567", io.ErrUnexpectedEOF, 0, nil},
		{"announced shorter", fault.Fault{Grow: -4}, "012345", "23", nil, 0, nil},
		{"announced over the limit", fault.Fault{Grow: 10 << 30}, "", "234567", store.ErrTooLarge, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := fault.Wrap(open(t), clock.Wall{}, fault.Always(c.fault))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				got, err := get(ctx, b, "old")
				if !strings.HasPrefix(got, c.get) || c.err == nil && got != c.get || !errors.Is(err, c.err) || time.Since(start) != c.took {
					t.Errorf("get: %q, %v after %v; want %q, %v after %v", got, err, time.Since(start), c.get, c.err, c.took)
				}
				ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				got, err = getRange(ctx, b, "old")
				if !strings.HasPrefix(got, c.rng) || !errors.Is(err, c.afterRange) {
					t.Errorf("range: %q, %v; want %q, %v", got, err, c.rng, c.afterRange)
				}
			})
		})
	}
}

// TestStoredFaults: what a Put leaves in the store.
func TestStoredFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  fault.Fault
		stored string
		err    error
		took   time.Duration
	}{
		{"none", fault.Fault{}, text, nil, 0},
		{"truncate", fault.Fault{Damage: fault.Truncate, At: 3}, "012", nil, 0},
		{"corrupt", fault.Fault{Damage: fault.Corrupt, At: 4}, "0123556789", nil, 0},
		{"stall", fault.Fault{Damage: fault.Stall, At: 4}, "", context.DeadlineExceeded, time.Minute},
		{"drip", fault.Fault{Drip: 2}, text, nil, 5 * time.Second},
		{"drip past the deadline", fault.Fault{Drip: 2, Delay: 59 * time.Second}, "", context.DeadlineExceeded, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := open(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				info, err := fault.Wrap(inner, clock.Wall{}, fault.Always(c.fault)).Put(ctx, "new", strings.NewReader(text), int64(len(text)), store.PutOptions{})
				if !errors.Is(err, c.err) || time.Since(start) != c.took || err == nil && info.Size != int64(len(text)) {
					t.Errorf("%+v, %v after %v; want %v after %v", info, err, time.Since(start), c.err, c.took)
				}
				if got, err := get(t.Context(), inner, "new"); got != c.stored || (err == nil) != (c.err == nil) {
					t.Errorf("stored %q, %v; want %q", got, err, c.stored)
				}
			})
		})
	}
}

// TestStaleView: new objects appear late, and a page of the listing is full all the same.
func TestStaleView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := open(t)
		for _, key := range []string{"a", "b", "c"} {
			if err := put(t.Context(), inner, key); err != nil {
				t.Fatal(err)
			}
		}
		b := fault.Wrap(inner, clock.Wall{}, fault.Always(fault.Fault{Stale: 10 * time.Second}))
		for _, max := range []int{1, 2, 10} {
			if infos, err := b.List(t.Context(), "", "", max); err != nil || keys(infos) != "old" {
				t.Errorf("list of %d: %q, %v", max, keys(infos), err)
			}
		}
		_, err1 := b.Head(t.Context(), "a")
		_, err2 := get(t.Context(), b, "a")
		_, err3 := getRange(t.Context(), b, "a")
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a new object in a stale view: %v", err)
			}
		}
		if got, err := get(t.Context(), b, "old"); got != text || err != nil {
			t.Errorf("old object: %q, %v", got, err)
		}
		time.Sleep(10 * time.Second) // of the bubble's time
		if infos, err := b.List(t.Context(), "", "", 10); err != nil || keys(infos) != "a b c old" {
			t.Errorf("list later: %q, %v", keys(infos), err)
		}
	})
}

func TestSkewedClock(t *testing.T) {
	inner := open(t)
	b := fault.Wrap(inner, clock.Wall{}, fault.Always(fault.Fault{Skew: time.Hour}))
	real, err := inner.Head(t.Context(), "old")
	head, err1 := b.Head(t.Context(), "old")
	listed, err2 := b.List(t.Context(), "", "", 10)
	r, got, err3 := b.Get(t.Context(), "old", 100)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	r.Close()
	for _, i := range []store.Info{head, listed[0], got} {
		if i.LastModified.Sub(real.LastModified) != time.Hour {
			t.Errorf("told %v, was modified %v", i.LastModified, real.LastModified)
		}
	}
}

// TestNumbers: calls are counted as a whole and by name and key.
func TestNumbers(t *testing.T) {
	var seen []string
	b := fault.Wrap(open(t), clock.Wall{}, func(op fault.Op) fault.Fault {
		seen = append(seen, op.String())
		return fault.Fault{}
	})
	b.Head(t.Context(), "a")
	b.Head(t.Context(), "b")
	b.List(t.Context(), "a", "", 1)
	b.Head(t.Context(), "a")
	want := []string{`head "a" (call 1, try 1)`, `head "b" (call 2, try 1)`, `list "a" (call 3, try 1)`, `head "a" (call 4, try 2)`}
	if !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
}

// TestRandomRepeats: a seed gives the same faults whatever the order of the calls, at
// about the rate asked for; another seed gives others.
func TestRandomRepeats(t *testing.T) {
	const n = 2000
	faults := func(seed uint64, order func(int) int) (hit [n]bool) {
		var mu sync.Mutex
		p := fault.Random(seed, 0.3, fault.Transient()...)
		clock.Wall{}.Each(n, 8, func(i int) {
			f := p(fault.Op{Name: fault.Get, Key: "key", N: order(i), Try: i})
			mu.Lock()
			hit[i] = f != fault.Fault{}
			mu.Unlock()
		})
		return hit
	}
	up, down := func(i int) int { return i }, func(i int) int { return n - i }
	a := faults(1, up)
	if a != faults(1, down) {
		t.Error("the order of the calls changes their faults")
	}
	if a == faults(2, up) {
		t.Error("two seeds give the same faults")
	}
	hits := 0
	for _, h := range a {
		if h {
			hits++
		}
	}
	if hits < n/4 || hits > n*7/20 {
		t.Errorf("%d of %d calls failed, want 30%%", hits, n)
	}
}

// TestConformance: a bucket without faults is the bucket, and one with them is again
// under Retry, but for what only readers of whole bodies can make good.
func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		flaky := fault.Wrap(empty(t, time.Now), clock.Wall{}, fault.Random(1, 0.3, fault.Fault{Err: fault.ErrReset}, fault.Fault{Err: fault.ErrReset, Persist: true}))
		return storetest.Fixture{LosesAnswers: true, Bucket: store.Retry(flaky, store.RetryPolicy{Base: time.Millisecond, Max: 10 * time.Millisecond, Attempts: 20}, clock.Wall{})}
	})
}
