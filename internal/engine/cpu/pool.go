package cpu

import (
	"sync"
	"sync/atomic"

	"templar/internal/kernel/gemm"
)

// pool is a gemm.Runner of persistent goroutines. Pieces are claimed one after the
// other, so that a slow core takes fewer.
type pool struct {
	workers int
	closed  bool
	wake    chan struct{}
	busy    sync.WaitGroup // helpers at the task under way
	live    sync.WaitGroup // goroutines

	// The task under way: written by Run, read by the helpers that it wakes.
	task     gemm.Task
	n, grain int
	next     atomic.Int64
}

func newPool(workers int) *pool {
	p := &pool{workers: workers, wake: make(chan struct{}, workers)}
	for w := 1; w < workers; w++ {
		p.live.Go(func() {
			for range p.wake {
				p.work(w)
				p.busy.Done()
			}
		})
	}
	return p
}

// Workers is the number of workers, the caller of Run among them.
func (p *pool) Workers() int { return p.workers }

// Run does the items of a task, the caller being worker 0.
func (p *pool) Run(n, grain int, t gemm.Task) {
	pieces := (n + grain - 1) / grain
	helpers := min(p.workers, pieces) - 1
	if helpers < 1 {
		gemm.Serial{}.Run(n, grain, t)
		return
	}
	p.task, p.n, p.grain = t, n, grain
	p.next.Store(0)
	p.busy.Add(helpers)
	for range helpers {
		p.wake <- struct{}{}
	}
	p.work(0)
	p.busy.Wait()
}

func (p *pool) work(worker int) {
	for {
		hi := int(p.next.Add(int64(p.grain)))
		lo := hi - p.grain
		if lo >= p.n {
			return
		}
		p.task.Do(worker, lo, min(hi, p.n))
	}
}

func (p *pool) close() {
	if p.closed {
		return
	}
	p.closed = true
	close(p.wake)
	p.live.Wait()
}
