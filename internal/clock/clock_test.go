package clock_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := (clock.Wall{}).Sleep(t.Context(), time.Hour); err != nil || time.Since(began) != time.Hour {
			t.Errorf("%v after %v, want an hour", err, time.Since(began))
		}
		ctx, cancel := clock.WithTimeout(t.Context(), clock.Wall{}, time.Minute)
		defer cancel()
		for _, d := range []time.Duration{time.Hour, 0, -1} { // the first outlasts ctx, the others find it over
			if err := (clock.Wall{}).Sleep(ctx, d); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("sleep %v: %v", d, err)
			}
		}
		if got := time.Since(began); got != time.Hour+time.Minute {
			t.Errorf("after %v, want an hour and a minute", got)
		}
	})
}

func TestSleepUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(time.Second)
		for range 2 { // the second time it is past
			if err := clock.SleepUntil(t.Context(), clock.Wall{}, at); err != nil || !time.Now().Equal(at) {
				t.Errorf("%v at %v, want %v", err, time.Now(), at)
			}
		}
	})
}

// Each calls f once for each item, and no more than limit at a time.
func TestEach(t *testing.T) {
	for _, c := range []struct{ n, limit, rounds int }{{0, 3, 0}, {1, 3, 1}, {10, 3, 4}, {10, 32, 1}, {4, 1, 4}} {
		synctest.Test(t, func(t *testing.T) {
			began, calls := time.Now(), make([]atomic.Int32, c.n)
			clock.Wall{}.Each(c.n, c.limit, func(i int) {
				calls[i].Add(1)
				time.Sleep(time.Second) // virtual
			})
			if got := time.Since(began); got != time.Duration(c.rounds)*time.Second {
				t.Errorf("%d items, %d at a time: %v, want %d rounds", c.n, c.limit, got, c.rounds)
			}
			for i := range calls {
				if n := calls[i].Load(); n != 1 {
					t.Errorf("item %d was done %d times", i, n)
				}
			}
		})
	}
}

func TestBothRunAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, word := time.Now(), make(chan string)
		var heard string
		clock.Both(clock.Wall{}, func() { heard = <-word }, func() {
			time.Sleep(time.Second)
			word <- "done"
		})
		if heard != "done" || time.Since(began) != time.Second {
			t.Errorf("heard %q after %v", heard, time.Since(began))
		}
	})
}
