//go:build linux || darwin || freebsd

package fs

import "golang.org/x/sys/unix"

// freeSpace is how much a disk has left for this process.
func freeSpace(dir string) (bytes int64, ok bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
