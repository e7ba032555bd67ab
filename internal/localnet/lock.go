package localnet

import (
	"errors"
	"fmt"
	"path/filepath"

	"templar/internal/store/flock"
	storefs "templar/internal/store/fs"
)

// lock keeps a second network, and whoever would serve its store, out of the data directory.
func lock(storeDir string) (unlock func(), err error) {
	unlock, err = storefs.Lock(storeDir)
	if errors.Is(err, flock.ErrHeld) {
		return nil, fmt.Errorf("%s is in use by another localnet: wait for it, or choose another --data-dir", filepath.Dir(storeDir))
	}
	return unlock, err
}
