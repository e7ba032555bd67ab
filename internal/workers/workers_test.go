package workers_test

import (
	"iter"
	"sync"
	"testing"

	"templar/internal/workers"
)

func TestShareTakesEachItemOnce(t *testing.T) {
	goroutines := func(n int, f func(int)) {
		var g sync.WaitGroup
		for i := range n {
			g.Go(func() { f(i) })
		}
		g.Wait()
	}
	for _, p := range []workers.Pool{{}, {Workers: 1, Each: goroutines}, {Workers: 3, Each: goroutines}, {Workers: 99, Each: goroutines}} {
		for _, n := range []int{0, 1, 2, 50} {
			var mu sync.Mutex
			taken := make([]int, n)
			started := 0
			p.Share(n, func(items iter.Seq[int]) {
				mu.Lock()
				started++
				mu.Unlock()
				for i := range items {
					mu.Lock()
					taken[i]++
					mu.Unlock()
				}
			})
			for i, times := range taken {
				if times != 1 {
					t.Errorf("%d workers: item %d of %d was taken %d times", p.Workers, i, n, times)
				}
			}
			if started > max(1, min(n, p.Workers)) {
				t.Errorf("%d workers were started for %d items", started, n)
			}
		}
	}
}
