package cli

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"

	"templar/internal/checkpoint"
	"templar/internal/store/fs"
	"templar/protocol"
)

// inspectFiles checks the files beside a checkpoint's manifest against it.
func inspectFiles(manifest string, files []checkpoint.File) (protocol.Verdict, string) {
	for _, f := range files {
		v, err := inspectSibling(manifest, f)
		if !v.OK() {
			return v, fmt.Sprintf("%s: %v", f.Name, err)
		}
	}
	return protocol.VerdictOK, ""
}

func inspectSibling(manifest string, f checkpoint.File) (protocol.Verdict, error) {
	if filepath.Base(f.Name) != f.Name || !filepath.IsLocal(f.Name) {
		return protocol.VerdictMalformed, errors.New("the name leaves the folder")
	}
	size, sum, err := digestFile(sibling(manifest, f.Name))
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		return protocol.VerdictMissing, errors.New("not found beside the manifest")
	case err != nil:
		return protocol.VerdictUnreachable, err
	case size != f.Size || sum != f.SHA256:
		return protocol.VerdictMalformed, fmt.Errorf("%d bytes with SHA-256 %s, the manifest says %d with %s", size, sum.Short(), f.Size, f.SHA256.Short())
	}
	return protocol.VerdictOK, nil
}

// sibling is the path of a file of the manifest's folder. In templar's own store a folder is
// a part of the name, and names end in "=".
func sibling(manifest, name string) string {
	dir, base := filepath.Split(manifest)
	if prefix, ok := strings.CutSuffix(base, "manifest.json="); ok {
		return filepath.Join(dir, prefix+name+"=")
	}
	return filepath.Join(dir, name)
}

func digestFile(path string) (size int64, sum protocol.Hash, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, sum, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, sum, err
	}
	size = info.Size()
	if o, err := fs.ReadObject(f, size); err == nil {
		size = o.Size
	}
	h := sha256.New()
	_, err = io.Copy(h, io.NewSectionReader(f, 0, size))
	return size, protocol.Hash(h.Sum(nil)), err
}
