package xla

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/cpu"
)

// cacheBytes bounds the folder of compiled programs: the least recently used go first.
const cacheBytes = 4 << 30

// suffix is that of a file of the cache: a SHA-256 of the rest, and a serialised program. A
// plug-in may crash on content that it did not write, so that a damaged file must not reach it.
const suffix = ".pjrt"

// cache keeps compiled programs in a folder that only this user writes to.
type cache struct{ dir, key string }

func (c cache) path(text string) string {
	name := sha256.Sum256([]byte(c.key + "\x00" + text))
	return filepath.Join(c.dir, hex.EncodeToString(name[:16])+suffix)
}

func (c cache) get(text string) ([]byte, bool) {
	if c.dir == "" {
		return nil, false
	}
	path := c.path(text)
	b, err := os.ReadFile(path)
	if err != nil || len(b) < sha256.Size {
		return nil, false
	}
	sum := sha256.Sum256(b[sha256.Size:])
	if !bytes.Equal(sum[:], b[:sha256.Size]) {
		return nil, false
	}
	now := time.Now()
	os.Chtimes(path, now, now)
	return b[sha256.Size:], true
}

func (c cache) put(text string, saved []byte) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(saved)
	_, err = f.Write(append(sum[:], saved...))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.path(text))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return c.prune(cacheBytes)
}

// prune removes the least recently used programs until the rest has at most so many bytes.
func (c cache) prune(limit int64) error {
	names, err := filepath.Glob(filepath.Join(c.dir, "*"+suffix))
	if err != nil {
		return err
	}
	var files []os.FileInfo
	for _, n := range names {
		if info, err := os.Stat(n); err == nil { // else another process removed it
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int { return cmp.Compare(b.ModTime().UnixNano(), a.ModTime().UnixNano()) })
	for i, info := range files {
		if limit -= info.Size(); limit < 0 && i > 0 {
			if err := os.Remove(filepath.Join(c.dir, info.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// processor is what the code of a CPU program depends on.
func processor(platform string) string {
	if platform != "cpu" {
		return ""
	}
	return fmt.Sprintf("%s %+v %+v %d", runtime.GOARCH, cpu.X86, cpu.ARM64, runtime.NumCPU())
}
