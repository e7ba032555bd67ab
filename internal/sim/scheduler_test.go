package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// play runs processes, each a function of its clock, until all have ended.
func play(t *testing.T, seed uint64, workers int, processes ...func(ctx context.Context, c nodeClock)) {
	t.Helper()
	s := newScheduler(seed, workers)
	var ahead time.Duration
	for i, f := range processes {
		p := s.newProcess(t.Context(), fmt.Sprint(i))
		s.spawn(p, func() { f(p.ctx, nodeClock{p, &ahead}) }, p.cancel)
	}
	for s.tasks > 0 {
		if !s.step() {
			t.Fatal("the scheduler is stuck")
		}
	}
}

func TestTimePassesOnlyInSleep(t *testing.T) {
	play(t, 1, 1, func(ctx context.Context, c nodeClock) {
		began := c.Now()
		if err := c.Sleep(ctx, 90*time.Minute); err != nil {
			t.Error(err)
		}
		if d := c.Now().Sub(began); d != 90*time.Minute {
			t.Errorf("slept for %v", d)
		}
	})
}

func TestDeadlines(t *testing.T) {
	play(t, 1, 1, func(ctx context.Context, c nodeClock) {
		began := c.Now()
		short, cancel := c.WithDeadline(ctx, began.Add(time.Second))
		defer cancel()
		inner, cancelInner := context.WithCancel(short) // of the standard library
		defer cancelInner()
		if err := c.Sleep(inner, time.Hour); err == nil || inner.Err() == nil {
			t.Errorf("slept past the deadline: %v", err)
		}
		if !errors.Is(short.Err(), context.DeadlineExceeded) || c.Now() != began.Add(time.Second) {
			t.Errorf("%v after %v", short.Err(), c.Now().Sub(began))
		}
		if ctx.Err() != nil {
			t.Error("the parent has ended")
		}
		long, cancelLong := c.WithDeadline(short, began.Add(time.Hour))
		defer cancelLong()
		if at, _ := long.Deadline(); !at.Equal(began.Add(time.Second)) || !errors.Is(long.Err(), context.DeadlineExceeded) {
			t.Errorf("a child has deadline %v and error %v", at, long.Err())
		}
		past, cancelPast := c.WithDeadline(ctx, began)
		defer cancelPast()
		if !errors.Is(past.Err(), context.DeadlineExceeded) {
			t.Errorf("a deadline in the past: %v", past.Err())
		}
	})
}

func TestEach(t *testing.T) {
	play(t, 1, 1, func(ctx context.Context, c nodeClock) {
		began, at, most := c.Now(), 0, 0
		var done []int
		c.Each(5, 2, func(i int) {
			at++
			most = max(most, at)
			c.Each(2, 2, func(int) { _ = c.Sleep(ctx, time.Second) })
			at--
			done = append(done, i)
		})
		slices.Sort(done)
		if !slices.Equal(done, []int{0, 1, 2, 3, 4}) || most != 2 || c.Now().Sub(began) != 3*time.Second {
			t.Errorf("did %v, %d at once, in %v", done, most, c.Now().Sub(began))
		}
	})
}

// One task of a process ends what another waits for.
func TestCancelAmongTasks(t *testing.T) {
	play(t, 1, 1, func(ctx context.Context, c nodeClock) {
		began := c.Now()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		c.Each(2, 2, func(i int) {
			if i == 0 {
				_ = c.Sleep(ctx, time.Second)
				cancel()
				return
			}
			if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		if c.Now().Sub(began) != time.Second {
			t.Errorf("took %v", c.Now().Sub(began))
		}
	})
}

// What happens at the same instant comes in an order that the seed draws, and the number
// of workers does not change.
func TestTiesAreDrawn(t *testing.T) {
	run := func(seed uint64, workers int) string {
		order := make([]string, 0, 16)
		var processes []func(context.Context, nodeClock)
		for i := range 8 {
			processes = append(processes, func(ctx context.Context, c nodeClock) {
				for range 2 {
					_ = c.Sleep(ctx, time.Second)
					c.process.leave(func() { order = append(order, fmt.Sprint(i)) })
				}
			})
		}
		play(t, seed, workers, processes...)
		return strings.Join(order, "")
	}
	one, two := run(1, 1), run(2, 1)
	if one == two {
		t.Errorf("seeds 1 and 2 both give %s", one)
	}
	for range 10 {
		if again := run(1, 4); again != one {
			t.Errorf("four workers give %s, one %s", again, one)
		}
	}
}

// A process that is killed stops at its next wait, and what it does until then is lost.
func TestKill(t *testing.T) {
	s := newScheduler(1, 1)
	var ahead time.Duration
	var err error
	p := s.newProcess(t.Context(), "p")
	s.spawn(p, func() { err = nodeClock{p, &ahead}.Sleep(p.ctx, time.Hour) }, func() {})
	s.after(time.Second, func() { p.kill(); s.interrupt(p) })
	for s.tasks > 0 && s.step() {
	}
	if err == nil || s.time() != epoch.Add(time.Second) {
		t.Errorf("ended with %v after %v", err, s.time().Sub(epoch))
	}
}

func TestPanicsAreCaught(t *testing.T) {
	s := newScheduler(1, 1)
	p := s.newProcess(t.Context(), "p")
	var caught error
	s.panicked = func(_ *process, err error) { caught = err }
	s.spawn(p, func() { panic("at the disco") }, func() {})
	for s.tasks > 0 && s.step() {
	}
	if caught == nil || !strings.Contains(caught.Error(), "at the disco") {
		t.Errorf("caught %v", caught)
	}
}
