package sim

import (
	"container/heap"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// scheduler runs tasks in virtual time. Its fields belong to whoever calls step; tasks
// reach it only through what they hand over when they wait.
type scheduler struct {
	now     int64 // nanoseconds since epoch
	ties    *rand.Rand
	events  eventQueue
	seq     uint64
	ready   []*task // in the order in which they run
	workers int
	tasks   int // not ended

	panicked func(*process, error) // called for a task that panicked
	segments uint64                // of tasks, for statistics
}

// epoch is the time at which every run begins.
var epoch = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

func newScheduler(seed uint64, workers int) *scheduler {
	return &scheduler{ties: rand.New(rand.NewPCG(seed, 0x7469_6573)), workers: max(workers, 1)}
}

func (s *scheduler) time() time.Time { return epoch.Add(time.Duration(s.now)) }

// event is something that happens at an instant. Of those at the same one, a drawn number
// says which comes first.
type event struct {
	at       int64
	tie, seq uint64
	do       func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	a, b := &q[i], &q[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.tie != b.tie {
		return a.tie < b.tie
	}
	return a.seq < b.seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = event{}
	*q = (*q)[:last]
	return e
}

// after lets do happen d from now.
func (s *scheduler) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.events, event{at: s.now + int64(max(d, 0)), tie: s.ties.Uint64(), seq: s.seq, do: do})
}

// task is one thread of control of a process.
type task struct {
	process *process
	next    func() (handover, bool)
	yield   func(handover) bool
	ended   func() // called by the scheduler

	ctx     context.Context // that it waits with; nil: nothing wakes it but what it waits for
	waiting bool
	waits   uint64 // how often it waited: a wake-up is for one of them
	err     error  // what woke it

	outbox []func() // what a segment leaves for the scheduler to do
	gave   handover
	over   bool
	failed error // the task panicked
}

// handover is what a task wants done when it waits: it arranges for the wake-up.
type handover func(*task)

// spawn starts a task of the process now. The scheduler calls ended when it has returned.
func (s *scheduler) spawn(p *process, f func(), ended func()) {
	t := &task{process: p, ended: ended, waiting: true}
	t.next, _ = iter.Pull(func(yield func(handover) bool) {
		t.yield = yield
		f()
	})
	p.tasks = append(p.tasks, t)
	s.tasks++
	s.after(0, s.waker(t))
}

// waker returns a function that ends the task's present wait, if that lasts until then.
func (s *scheduler) waker(t *task) func() {
	wait := t.waits
	return func() {
		if t.waiting && t.waits == wait {
			s.wake(t, nil)
		}
	}
}

func (s *scheduler) wake(t *task, err error) {
	t.waiting, t.err = false, err
	t.waits++
	s.ready = append(s.ready, t)
}

// step runs what is ready, or goes on to the next instant at which something happens. It
// returns false when nothing ever will.
func (s *scheduler) step() bool {
	if len(s.ready) == 0 {
		if len(s.events) == 0 {
			return false
		}
		for s.now = s.events[0].at; len(s.events) > 0 && s.events[0].at == s.now; {
			heap.Pop(&s.events).(event).do()
		}
	}
	batch := s.ready
	s.ready = nil
	s.run(batch)
	for _, t := range batch {
		s.settle(t)
	}
	return true
}

// run lets each task of a batch go on until it waits again: tasks of one process one after
// the other, processes at once.
func (s *scheduler) run(batch []*task) {
	s.segments += uint64(len(batch))
	if s.workers == 1 || len(batch) == 1 {
		for _, t := range batch {
			t.segment()
		}
		return
	}
	var order []*process
	of := make(map[*process][]*task)
	for _, t := range batch {
		if of[t.process] == nil {
			order = append(order, t.process)
		}
		of[t.process] = append(of[t.process], t)
	}
	next := make(chan []*task, len(order))
	for _, p := range order {
		next <- of[p]
	}
	close(next)
	var wg sync.WaitGroup
	for range min(s.workers, len(order)) {
		wg.Go(func() {
			for tasks := range next {
				for _, t := range tasks {
					t.segment()
				}
			}
		})
	}
	wg.Wait()
}

// segment runs the task until it waits or returns.
func (t *task) segment() {
	t.process.current = t
	defer func() {
		if cause := recover(); cause != nil {
			t.over, t.failed = true, fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	var more bool
	t.gave, more = t.next()
	t.over = !more
}

// settle does what a segment left to do.
func (s *scheduler) settle(t *task) {
	p := t.process
	for _, do := range t.outbox {
		do()
	}
	t.outbox = t.outbox[:0]
	if t.failed != nil && s.panicked != nil {
		s.panicked(p, t.failed)
	}
	if t.over {
		p.tasks = slices.DeleteFunc(p.tasks, func(other *task) bool { return other == t })
		s.tasks--
		t.ended()
	} else {
		t.waiting = true
		t.gave(t)
	}
	s.interrupt(p)
}

// interrupt wakes the tasks of a process whose context has ended.
func (s *scheduler) interrupt(p *process) {
	for _, t := range p.tasks {
		if t.waiting && t.ctx != nil && (p.dead || t.ctx.Err() != nil) {
			s.wake(t, ended(t.ctx))
		}
	}
}

func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Canceled
}
