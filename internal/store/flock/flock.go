// Package flock keeps others off what one works on: a file's lock, exclusive, which the
// system frees when its process ends, however it ends. Other processes are refused, and so
// is who asks a second time in this one. On systems and file systems that have no such locks
// everybody is let in.
package flock

import (
	"errors"
	"fmt"
	"os"
)

// ErrHeld is wrapped when somebody has the lock.
var ErrHeld = errors.New("in use by another process")

// Take takes the lock of the file at path, making it if need be, and does not wait for it.
// The holder, and nobody else, may remove the file: as the last thing before release.
func Take(path string) (release func(), err error) {
	for {
		f, err := take(path)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if f == nil {
			return func() {}, nil
		}
		if isAt(f, path) {
			return func() { f.Close() }, nil
		}
		f.Close() // the holder removed it: there is another file now, or none
	}
}

func isAt(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	now, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, now)
}
