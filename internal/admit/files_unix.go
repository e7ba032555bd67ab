//go:build unix

package admit

import "golang.org/x/sys/unix"

// OpenFiles is how many files and connections this process may have open.
func OpenFiles() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(uint64(limit.Cur), 1<<20)) //nolint:unconvert // it is signed on FreeBSD
}
