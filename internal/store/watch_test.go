package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/store"
)

// moody answers a Head after a time, or when the caller gives up, with an error.
type moody struct {
	store.Bucket
	takes time.Duration
	err   error
}

func (m *moody) Head(ctx context.Context, _ string) (store.Info, error) {
	select {
	case <-time.After(m.takes):
		return store.Info{}, m.err
	case <-ctx.Done():
		return store.Info{}, ctx.Err()
	}
}

func TestWatch(t *testing.T) {
	down := errors.New("connection refused")
	for name, c := range map[string]struct {
		takes time.Duration
		err   error
		asks  int           // a second apart
		limit time.Duration // of each request
		want  string
	}{
		"answers":                      {takes: time.Second, asks: 30, limit: time.Hour},
		"refuses, which is an answer":  {err: store.ErrDenied, asks: 30, limit: time.Hour},
		"has no such object":           {err: store.ErrNotFound, asks: 30, limit: time.Hour},
		"fails for a moment":           {err: down, asks: 9, limit: time.Hour},
		"fails":                        {err: down, asks: 15, limit: time.Hour, want: "10s: connection refused. back after 15s. "},
		"fails for long":               {err: down, asks: 80, limit: time.Hour, want: "10s: connection refused. 1m10s: connection refused. back after 1m20s. "},
		"is silent":                    {takes: time.Hour, asks: 1, limit: 30 * time.Second, want: "10s: no answer yet. back after 31s. "},
		"is silent to short questions": {takes: time.Hour, asks: 6, limit: 2 * time.Second, want: "11s: context deadline exceeded. back after 18s. "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got string
				m := &moody{takes: c.takes, err: c.err}
				b := store.Watch(m, &store.Watcher{
					Patience: 10 * time.Second, Every: time.Minute,
					Failing: func(since time.Duration, why error) { got += fmt.Sprintf("%v: %v. ", since, why) },
					Back:    func(after time.Duration) { got += fmt.Sprintf("back after %v. ", after) },
				})
				for range c.asks {
					ctx, cancel := context.WithTimeout(t.Context(), c.limit)
					b.Head(ctx, "key")
					cancel()
					time.Sleep(time.Second)
				}
				*m = moody{}
				b.Head(t.Context(), "key")
				if got != c.want {
					t.Errorf("it reported %q, want %q", got, c.want)
				}
			})
		})
	}
}

// A request that its caller gives up because it ends is no fault of the store.
func TestWatchOfAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := store.Watch(&moody{takes: time.Hour}, &store.Watcher{Failing: func(time.Duration, error) { t.Error("reported") }, Patience: 10 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(9*time.Second, cancel)
		b.Head(ctx, "key")
		time.Sleep(time.Minute)
	})
}
