package workers

import (
	"os"
	"runtime"
	"sync"
)

var cores = runtime.GOMAXPROCS(0)

// Cores returns how many processors the process may compute on: runtime.GOMAXPROCS as it was at the start.
func Cores() int { return cores }

// LeaveRoom lets twice as many threads run Go code as there are cores, and is for processes whose engines keep all
// cores busy. Otherwise a goroutine that waits for the network waits for an engine too: Go interrupts a computing
// goroutine after 10 ms, and each answer from the chain or a store costs about as much. With idle threads to spare the
// operating system wakes one at once. Engines still start Cores threads, so that they compute no slower. A number in
// the environment variable GOMAXPROCS is left as it is.
var LeaveRoom = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * cores)
	}
})
