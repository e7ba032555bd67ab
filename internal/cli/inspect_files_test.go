package cli

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"templar/internal/checkpoint"
	"templar/internal/store/fs"
	"templar/internal/wallet"
	"templar/protocol"
	"templar/wire"
)

// A manifest is judged with the files beside it, in a plain folder and in our own store's.
func TestInspectManifest(t *testing.T) {
	w, err := wallet.FromSeed([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("some weights")
	file := checkpoint.File{Name: "model.safetensors", Size: int64(len(body)), SHA256: sha256.Sum256(body)}
	for name, c := range map[string]struct {
		file checkpoint.File
		body []byte
		want protocol.Verdict
	}{
		"as it says": {file, body, protocol.VerdictOK},
		"damaged":    {file, []byte("other weights"), protocol.VerdictMalformed},
		"cut":        {file, body[:5], protocol.VerdictMalformed},
		"missing":    {file, nil, protocol.VerdictMissing},
		"elsewhere":  {checkpoint.File{Name: "../model.safetensors"}, body, protocol.VerdictMalformed},
	} {
		sealed, err := wire.Seal(checkpoint.Domain, checkpoint.Manifest{Files: []checkpoint.File{c.file}}, w)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{"manifest.json": sealed, "model.safetensors": c.body}
		for kind, write := range map[string]func(*testing.T, map[string][]byte) string{"folder": writeFolder, "store": writeStore} {
			t.Run(name+" in a "+kind, func(t *testing.T) {
				got, err := inspectFile(write(t, files), nil)
				if err != nil || got.Verdict != c.want || (got.Reason == "") != c.want.OK() {
					t.Errorf("%v, %q, %v; want %v", got.Verdict, got.Reason, err, c.want)
				}
			})
		}
	}
}

func writeFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if b == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "manifest.json")
}

func writeStore(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	s, err := fs.Open(dir, fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("own"); err != nil {
		t.Fatal(err)
	}
	prefix := protocol.CheckpointPrefix(5)
	for name, b := range files {
		if b == nil {
			continue
		}
		if _, err := s.Put(t.Context(), "own", prefix+name, bytes.NewReader(b), int64(len(b)), fs.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "*manifest.json="))
	if more, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*manifest.json=")); err == nil && len(found) == 0 {
		found = more
	}
	if len(found) != 1 {
		t.Fatalf("the manifest is in %v, %v", found, err)
	}
	return found[0]
}
