package fs_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"templar/internal/store/flock"
	"templar/internal/store/fs"
)

func TestLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no locks here")
	}
	dir := filepath.Join(t.TempDir(), "new", "store")
	unlock, err := fs.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	open(t, dir, fs.Options{}) // what is locked is asking for the lock
	if _, err := fs.Lock(dir); !errors.Is(err, flock.ErrHeld) || !strings.HasPrefix(err.Error(), dir+": ") {
		t.Errorf("a second time: %v", err)
	}
	unlock()
	if unlock, err = fs.Lock(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
}
