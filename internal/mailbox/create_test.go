package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/mailbox"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/protocol"
)

// aggregatorBucket is a bucket that counts what is sent, and has faults of its own.
type aggregatorBucket struct {
	store.Bucket
	store.Counters

	complete func(store.PutOptions) (store.PutOptions, error) // nil: as it is asked
	begin    func() error                                     // before an upload is begun; may be nil

	mu     sync.Mutex
	broken int           // the number of a part that breaks off once all others are stored; 0: none
	stored int           // parts
	others chan struct{} // closed when all parts but the broken one are stored
	puts   []string
	parts  []string // keys of uploads that were completed
}

func newAggregatorBucket(t *testing.T) *aggregatorBucket {
	t.Helper()
	s := mem.New(time.Now)
	if err := errors.Join(s.CreateBucket("bucket"), s.AddKeys(store.Key{AccessKey: "admin", Secret: "secret", Admin: true})); err != nil {
		t.Fatal(err)
	}
	inner, err := s.Dial(store.Location{Bucket: "bucket", AccessKey: "admin", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	b := &aggregatorBucket{others: make(chan struct{})}
	b.Bucket = store.Meter(inner, &b.Counters)
	return b
}

func (b *aggregatorBucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	b.puts = append(b.puts, key)
	return b.Bucket.Put(ctx, key, body, size, o)
}

func (b *aggregatorBucket) CreateUpload(ctx context.Context, key string) (store.Upload, error) {
	if b.begin != nil {
		if err := b.begin(); err != nil {
			return store.Upload{}, err
		}
	}
	return b.Bucket.CreateUpload(ctx, key)
}

func (b *aggregatorBucket) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if number == b.broken {
		<-b.others
		b.broken = 0
		return store.Part{}, errors.New("connection reset")
	}
	p, err := b.Bucket.PutPart(ctx, u, number, body, size)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stored++; b.broken > 0 && b.stored == largeParts { // with the one of the object with which the store was tried
		close(b.others)
	}
	return p, err
}

func (b *aggregatorBucket) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	if b.complete != nil {
		var err error
		if o, err = b.complete(o); err != nil {
			return store.Info{}, err
		}
	}
	info, err := b.Bucket.CompleteUpload(ctx, u, parts, o)
	if err == nil {
		b.parts = append(b.parts, u.Key)
	}
	return info, err
}

// shelf is what a process of an aggregator works with.
func (b *aggregatorBucket) shelf(log io.Writer) *mailbox.Shelf {
	return &mailbox.Shelf{
		Schedule: schedule.Schedule{Clock: clock.Wall{}}, Bucket: b, Hotkey: protocol.Hotkey{1}, Log: slog.New(slog.NewTextHandler(log, nil)),
	}
}

const largeParts = 5

// large is an object that is sent in five parts.
func large(with byte) []byte {
	b := make([]byte, 4*8<<20+100)
	b[0] = with
	return b
}

func (b *aggregatorBucket) want(t *testing.T, objects map[string][]byte) {
	t.Helper()
	infos, err := b.List(t.Context(), "", "", 100)
	if err != nil || len(infos) != len(objects) {
		t.Errorf("objects %v, %v", infos, err)
	}
	for key, body := range objects {
		if got, _, err := store.ReadAll(t.Context(), b, key, -1); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes, %v; not what was stored first", key, len(got), err)
		}
	}
	if left, err := b.Uploads(t.Context(), ""); err != nil || len(left) > 0 {
		t.Errorf("unfinished uploads %v, %v", left, err)
	}
}

// After a broken connection only the part that it carried is sent again, by a process that was started anew too.
func TestCreateGoesOn(t *testing.T) {
	for name, again := range map[string]bool{"the same process": false, "another process": true} {
		t.Run(name, func(t *testing.T) {
			b := newAggregatorBucket(t)
			b.broken = 3
			key, body := protocol.AggregateKey(5, 0), large(1)
			s := b.shelf(io.Discard)
			if _, err := s.Create(t.Context(), key, body); err == nil {
				t.Fatal("no connection was broken")
			}
			if _, err := b.Head(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a part of an object shows: %v", err)
			}
			before := b.Snapshot().BytesUp
			if again {
				s = b.shelf(io.Discard)
			}
			if created, err := s.Create(t.Context(), key, body); err != nil || !created {
				t.Errorf("created %v, %v", created, err)
			}
			if sent := b.Snapshot().BytesUp - before; sent < 8<<20 || sent > 8<<20+100 { // with what the store is tried with
				t.Errorf("sent %d bytes again, want a part", sent)
			}
			b.want(t, map[string][]byte{key: body})
		})
	}
}

// Of what two aggregators create under one key, the first counts, also at a store that ignores the condition when an upload is
// completed, does not know it, or gives no right to send parts.
func TestCreateOnce(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(*aggregatorBucket)
		inParts bool
	}{
		"honours": {func(*aggregatorBucket) {}, true},
		"ignores": {func(b *aggregatorBucket) {
			b.complete = func(store.PutOptions) (store.PutOptions, error) { return store.PutOptions{}, nil }
		}, false},
		"does not know": {func(b *aggregatorBucket) {
			b.complete = func(o store.PutOptions) (store.PutOptions, error) { return o, store.ErrInvalid }
		}, false},
		"no right": {func(b *aggregatorBucket) { b.begin = func() error { return store.ErrDenied } }, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newAggregatorBucket(t)
			c.spoil(b)
			var log strings.Builder
			key, other := protocol.AggregateKey(5, 0), protocol.AggregateKey(6, 0)
			one, two := b.shelf(&log), b.shelf(io.Discard)
			two.Hotkey[0]++
			for _, step := range []struct {
				by   *mailbox.Shelf
				key  string
				with byte
				want bool
			}{{one, key, 1, true}, {two, key, 2, false}, {one, key, 1, false}, {two, other, 2, true}} {
				if created, err := step.by.Create(t.Context(), step.key, large(step.with)); err != nil || created != step.want {
					t.Errorf("%+v: created %v, %v", step, created, err)
				}
			}
			b.want(t, map[string][]byte{key: large(1), other: large(2)})
			if got := strings.Contains(strings.Join(b.parts, " "), "aggregator-"); got != c.inParts {
				t.Errorf("completed %q, put %q", b.parts, b.puts)
			}
			if got := strings.Count(log.String(), "sent as a whole"); (got == 1) == c.inParts || got > 1 {
				t.Errorf("the operator reads %q", log.String())
			}
		})
	}
}

// While it cannot be found out whether the store honours the condition, an object is sent as a whole.
func TestCreateBeforeTheStoreIsKnown(t *testing.T) {
	b := newAggregatorBucket(t)
	down := true
	b.begin = func() error {
		if down {
			return errors.New("status 503")
		}
		return nil
	}
	var log strings.Builder
	s := b.shelf(&log)
	objects := map[string][]byte{}
	for w := range protocol.Window(2) {
		key := protocol.AggregateKey(w, 0)
		objects[key] = large(byte(w))
		if created, err := s.Create(t.Context(), key, objects[key]); err != nil || !created {
			t.Errorf("window %d: created %v, %v", w, created, err)
		}
		down = false
	}
	b.want(t, objects)
	if len(b.parts) != 1 || b.parts[0] != protocol.AggregateKey(1, 0) || log.Len() > 0 {
		t.Errorf("completed %q; the operator reads %q", b.parts, log.String())
	}
}

// A small object is one request, and in a bucket of which nothing is known.
func TestCreateSmall(t *testing.T) {
	b := newAggregatorBucket(t)
	s := b.shelf(io.Discard)
	for i, want := range []bool{true, false} {
		if created, err := s.Create(t.Context(), "key", []byte("small")); err != nil || created != want {
			t.Errorf("created %v, %v", created, err)
		}
		if got := b.Snapshot().Requests; got != int64(i+1) {
			t.Errorf("%d requests", got)
		}
	}
	b.want(t, map[string][]byte{"key": []byte("small")})
}
