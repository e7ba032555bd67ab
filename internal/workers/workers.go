// Package workers divides computing among goroutines that somebody else starts.
package workers

import (
	"iter"
	"sync/atomic"
)

// Each calls f(0) to f(n-1), in any order, several at once if it likes, and returns when all
// have returned.
type Each func(n int, f func(i int))

// Pool is how many workers compute at once, and what starts them. The zero Pool is one
// worker, the caller.
type Pool struct {
	Workers int
	Each    Each
}

// Share calls work once for each worker, with the items that the worker takes. Every item
// below n goes to one worker, the next one to the first that is free. That keeps working
// memory to one set a worker. Results must not depend on which worker takes an item.
func (p Pool) Share(n int, work func(items iter.Seq[int])) {
	var taken atomic.Int64
	items := func(yield func(int) bool) {
		for {
			i := int(taken.Add(1)) - 1
			if i >= n || !yield(i) {
				return
			}
		}
	}
	if p.Each == nil {
		work(items)
		return
	}
	p.Each(min(max(p.Workers, 1), n), func(int) { work(items) })
}
