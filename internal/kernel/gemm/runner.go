package gemm

// Task is work on the items of a range, in any order and by several workers at once.
type Task interface {
	// Do handles the items lo <= i < hi. No two calls at one time have the same worker.
	Do(worker, lo, hi int)
}

// Runner shares a task's items among workers.
type Runner interface {
	// Workers is the number of workers: worker numbers are below it.
	Workers() int
	// Run does the items 0 <= i < n in pieces of at most grain and returns when all
	// are done.
	Run(n, grain int, t Task)
}

// Serial is the Runner of a single worker: the caller.
type Serial struct{}

// Workers is 1.
func (Serial) Workers() int { return 1 }

// Run does the pieces in order.
func (Serial) Run(n, grain int, t Task) {
	for lo := 0; lo < n; lo += grain {
		t.Do(0, lo, min(lo+grain, n))
	}
}
