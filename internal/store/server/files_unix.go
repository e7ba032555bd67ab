//go:build unix

package server

import "golang.org/x/sys/unix"

// openFiles is how many files and connections this process may have open.
func openFiles() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(uint64(limit.Cur), 1<<20)) //nolint:unconvert // it is signed on FreeBSD
}
