package sim

import (
	"context"
	"errors"
)

// process is one incarnation of a node: its tasks run one at a time.
type process struct {
	s       *scheduler
	name    string
	ctx     context.Context
	cancel  context.CancelFunc
	dead    bool // killed: nothing that it does has an effect any more
	tasks   []*task
	current *task
}

func (s *scheduler) newProcess(ctx context.Context, name string) *process {
	p := &process{s: s, name: name}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// kill ends the process as kill -9 does: it may go on computing, without any effect.
func (p *process) kill() {
	p.dead = true
	p.cancel()
}

// leave lets the scheduler do something after the present segment.
func (p *process) leave(do func()) { p.current.outbox = append(p.current.outbox, do) }

// wait ends the present segment. The scheduler then calls arrange, which arranges that
// the task is woken; the end of ctx wakes it as well, and is the error.
func (p *process) wait(ctx context.Context, arrange handover) error {
	if p.dead || ctx.Err() != nil {
		return ended(ctx)
	}
	t := p.current
	t.ctx = ctx
	if !t.yield(arrange) {
		return errAbandoned
	}
	return t.err
}

var errAbandoned = errors.New("the simulator abandoned the task")

// fork runs f(0) to f(n-1) in up to limit tasks, and waits for all.
func (p *process) fork(n, limit int, f func(int)) {
	if n <= 1 || limit <= 1 || p.dead {
		for i := range n {
			f(i)
		}
		return
	}
	next, left := 0, min(n, limit)
	work := func() {
		for next < n {
			next++
			f(next - 1)
		}
	}
	parent := p.current
	parent.ctx = nil // its tasks notice by themselves
	parent.yield(func(t *task) {
		joined := p.s.waker(t)
		for range left {
			p.s.spawn(p, work, func() {
				if left--; left == 0 {
					joined()
				}
			})
		}
	})
}
