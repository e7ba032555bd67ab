package localnet

import (
	"errors"
	"fmt"
	"path/filepath"

	"templar/internal/store/flock"
	storefs "templar/internal/store/fs"
)

// lock locks the data directory against a second network and against another server of its store.
func lock(storeDir string) (unlock func(), err error) {
	unlock, err = storefs.Lock(storeDir)
	if errors.Is(err, flock.ErrHeld) {
		return nil, fmt.Errorf("%s is in use by another localnet: wait for it, or choose another --data-dir", filepath.Dir(storeDir))
	}
	return unlock, err
}
