package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"templar/internal/kernel/gemm"
)

// pool is a gemm.Runner of persistent goroutines. Pieces are claimed one after the
// other, so that a slow core takes fewer.
type pool struct {
	workers int
	closed  bool
	wake    chan struct{}
	done    chan struct{}  // the last helper has left the task under way
	live    sync.WaitGroup // goroutines

	// The task under way: written by Run, read by the helpers that it wakes.
	task     gemm.Task
	n, grain int
	next     atomic.Int64
	busy     atomic.Int32 // helpers at it

	spent atomic.Int64 // nanoseconds of processor time of the calls, and of the helpers in them
}

// spins is how often a worker looks for the next task, or for the end of this one, before
// it sleeps: some 200 us, a piece of work. A step is a hundred tasks with little between them,
// and to be woken takes half as long. Others are let in all along.
const spins = 1 << 15

// pause lets other goroutines run at every 64th look.
func pause(look int) {
	if look%64 == 63 {
		runtime.Gosched()
	}
}

func newPool(workers int) *pool {
	p := &pool{workers: workers, wake: make(chan struct{}, workers), done: make(chan struct{}, 1)}
	for w := 1; w < workers; w++ {
		p.live.Go(func() {
			for p.await() {
				began := p.begin()
				p.work(w)
				p.end(began)
				if p.busy.Add(-1) == 0 {
					p.done <- struct{}{}
				}
			}
		})
	}
	return p
}

// await waits for a task. It returns false when the pool was closed.
func (p *pool) await() bool {
	for i := range spins {
		select {
		case _, ok := <-p.wake:
			return ok
		default:
			pause(i)
		}
	}
	_, ok := <-p.wake
	return ok
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
	p.busy.Store(int32(helpers))
	for range helpers {
		p.wake <- struct{}{}
	}
	p.work(0)
	for i := 0; i < spins && p.busy.Load() > 0; i++ {
		pause(i)
	}
	<-p.done
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

// begin begins to count the processor time of the calling goroutine, which stays on its thread
// until end.
func (p *pool) begin() time.Duration {
	runtime.LockOSThread()
	return cpuTime()
}

func (p *pool) end(began time.Duration) {
	p.spent.Add(int64(cpuTime() - began))
	runtime.UnlockOSThread()
}

func (p *pool) close() {
	if p.closed {
		return
	}
	p.closed = true
	close(p.wake)
	p.live.Wait()
}
