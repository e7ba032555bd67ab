package fs

import (
	"fmt"
	"hash/maphash"
	"os"
)

// Read opens a directory to read from, beside the process that may have it open: it makes
// and clears nothing. Nothing must be written through it.
func Read(dir string) (*Store, error) {
	s := &Store{dir: dir, seed: maphash.MakeSeed()}
	if _, err := os.Stat(s.path("buckets")); err != nil {
		return nil, fmt.Errorf("read object store: %w", err)
	}
	return s, nil
}
