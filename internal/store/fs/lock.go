package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"templar/internal/store/flock"
)

// Lock keeps other processes that ask for it out of the directory, which is made if need be:
// take it before Open, and for as long as something may be written. The error of one that
// another process has wraps flock.ErrHeld.
func Lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	unlock, err = flock.Take(filepath.Join(dir, "lock"))
	if errors.Is(err, flock.ErrHeld) {
		return nil, fmt.Errorf("%s: this folder is %w: stop that, or choose another folder", dir, flock.ErrHeld)
	}
	if err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	return unlock, nil
}
