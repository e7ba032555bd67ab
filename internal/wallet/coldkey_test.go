package wallet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestColdkey(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadColdkey(dir, "alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if _, err := LoadColdkey(dir, "../alice"); err == nil {
		t.Error("a name that leads out of the folder")
	}
	seed := [32]byte{7}
	want, err := FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "alice", "coldkey")
	if err := writeKey(file, want.hotkey, seed, ""); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadColdkey(dir, "alice"); err != nil || got.hotkey != want.hotkey {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"$NACL\x00\x01", "$ANSIBLE_VAULT;1.1;AES256"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadColdkey(dir, "alice"); !errors.Is(err, ErrEncrypted) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
