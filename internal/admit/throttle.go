package admit

import (
	"context"
	"sync"
	"time"
)

// Throttle delays answers that refuse, so that a crowd of refused clients, which come back on new
// connections, costs a bounded rate of computation. No client waits while refusals are few.
type Throttle struct {
	interval time.Duration
	burst    time.Duration
	mu       struct {
		sync.Mutex
		next time.Time
	}
}

// longestDelay bounds what one refusal waits.
const longestDelay = 2 * time.Second

// NewThrottle allows so many a second, and burst at once.
func NewThrottle(rate, burst int) *Throttle {
	interval := time.Second / time.Duration(rate)
	return &Throttle{interval: interval, burst: interval * time.Duration(burst)}
}

// Wait delays the caller.
func (t *Throttle) Wait(ctx context.Context) {
	wait := t.reserve(time.Now())
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (t *Throttle) reserve(now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if earliest := now.Add(-t.burst); t.mu.next.Before(earliest) {
		t.mu.next = earliest
	}
	if wait = t.mu.next.Sub(now); wait >= longestDelay {
		return longestDelay
	}
	t.mu.next = t.mu.next.Add(t.interval)
	return wait
}
