//go:build !linux

package cpu

import "time"

var began = time.Now()

// cpuTime is the wall time: threads that wait for a core count as if they had it.
func cpuTime() time.Duration { return time.Since(began) }
