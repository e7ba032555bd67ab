package cpu

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the processor time of the calling thread.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0 // only an unknown clock is an error
	}
	return time.Duration(t.Nano())
}
