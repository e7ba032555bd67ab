//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"templar/internal/memory"
)

// cpuTime is the CPU time of this process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for a bad pointer only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// field reads a size in kB from a file of /proc; 0 when it is not there.
func field(path, name string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) >= 2 && words[0] == name+":" {
			n, _ := strconv.ParseInt(words[1], 10, 64) // the kernel writes digits
			return n << 10
		}
	}
	return 0
}

// peak is the most memory that this process has had since the last resetPeak, or ever where the kernel resets nothing.
func peak() int64 { return field("/proc/self/status", "VmHWM") }

// resetPeak makes peak count from now.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) } // peaks are then those of all phases so far

// check refuses what does not fit on the machine.
func check(dir string, needs, disk int64) error {
	if free := field("/proc/meminfo", "MemAvailable"); free > 0 && free < needs {
		return fmt.Errorf("%s of memory are needed, and %s are available: stop other programs, or take a smaller -preset", memory.Format(needs), memory.Format(free))
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("-dir: %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < disk {
		return fmt.Errorf("%s of disk are needed in %s, and %s are free: choose another -dir", memory.Format(disk), dir, memory.Format(free))
	}
	return nil
}
