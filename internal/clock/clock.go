// Package clock is where the roles take their time and their concurrency from.
//
// A role never calls time.Now, time.Sleep or the go statement for its protocol work:
// it asks the Clock in its Deps. The wall clock serves real networks; a simulator
// passes a virtual one and so drives the same code, step by step and repeatably.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock gives the time, waits, and runs work concurrently.
type Clock interface {
	Now() time.Time
	// Sleep returns nil after d, or ctx's error as soon as ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
	// WithDeadline is context.WithDeadline on this clock's time.
	WithDeadline(ctx context.Context, t time.Time) (context.Context, context.CancelFunc)
	// Each calls f(0) to f(n-1), at most limit at a time, and returns when all have.
	Each(n, limit int, f func(i int))
}

// Wall is the machine's clock.
type Wall struct{}

var _ Clock = Wall{}

// Now returns the current time.
func (Wall) Now() time.Time { return time.Now() }

// Sleep waits for d or for ctx.
func (Wall) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithDeadline is context.WithDeadline.
func (Wall) WithDeadline(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, t)
}

// Each runs f in up to limit goroutines.
func (Wall) Each(n, limit int, f func(i int)) {
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range min(n, limit) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	wg.Wait()
}

// SleepUntil waits until t on c.
func SleepUntil(ctx context.Context, c Clock, t time.Time) error {
	return c.Sleep(ctx, t.Sub(c.Now()))
}

// WithTimeout is WithDeadline, d from now.
func WithTimeout(ctx context.Context, c Clock, d time.Duration) (context.Context, context.CancelFunc) {
	return c.WithDeadline(ctx, c.Now().Add(d))
}

// Both calls f and g at the same time on c, and returns when both have.
func Both(c Clock, f, g func()) {
	c.Each(2, 2, func(i int) {
		if i == 0 {
			f()
		} else {
			g()
		}
	})
}
