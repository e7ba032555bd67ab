package sim

import (
	"context"
	"time"

	"templar/internal/clock"
)

// nodeClock is a process's view of virtual time.
type nodeClock struct {
	process *process
	ahead   *time.Duration // of true time: the machine's clock may be wrong
}

var _ clock.Clock = nodeClock{}

// Now is what the machine's clock shows.
func (c nodeClock) Now() time.Time { return c.process.s.time().Add(*c.ahead) }

// Sleep waits for d of virtual time.
func (c nodeClock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 && !c.process.dead {
		return ctx.Err()
	}
	return c.process.wait(ctx, func(t *task) { c.process.s.after(d, c.process.s.waker(t)) })
}

// Each runs f in up to limit tasks of the process.
func (c nodeClock) Each(n, limit int, f func(i int)) { c.process.fork(n, limit, f) }

// WithDeadline is context.WithDeadline on virtual time.
func (c nodeClock) WithDeadline(parent context.Context, at time.Time) (context.Context, context.CancelFunc) {
	p := c.process
	inner, cancel := context.WithCancel(parent)
	ctx := &deadline{Context: inner, parent: parent, at: at}
	left := at.Sub(c.Now())
	if left <= 0 {
		ctx.expired = true
		cancel()
		return ctx, cancel
	}
	p.leave(func() {
		p.s.after(left, func() {
			if inner.Err() == nil {
				ctx.expired = true
				cancel()
				p.s.interrupt(p)
			}
		})
	})
	return ctx, cancel
}

// deadline is a context that ends at a virtual time.
type deadline struct {
	context.Context
	parent  context.Context
	at      time.Time
	expired bool
}

func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.parent.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

func (d *deadline) Err() error {
	switch err := d.Context.Err(); {
	case err == nil:
		return nil
	case d.expired:
		return context.DeadlineExceeded
	case d.parent.Err() != nil:
		return d.parent.Err()
	default:
		return err
	}
}
