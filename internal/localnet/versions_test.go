package localnet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/versioned"
)

// A folder of another version is refused by both versions, not by names that only the other one has.
func TestFoldersOfOtherVersionsAreRefused(t *testing.T) {
	o := options(t, 1)
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, open := range map[string]func() error{
		networkFile: func() error { _, err := Prepare(t.Context(), o); return err },
		foldersFile: func() error { _, err := Folders(t.Context(), o, Hosts{}); return err },
	} {
		name := filepath.Join(o.DataDir, file)
		if err := os.WriteFile(name, []byte(`{"version":9,"new":[]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		err := open()
		if !versioned.Is(err) || !strings.Contains(err.Error(), name+" is of version 9, and this release reads version") || !strings.Contains(err.Error(), "--data-dir") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
