package fs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
)

// A key becomes a file name by percent-encoding all but a-z, 0-9, '-', '_' and '.',
// capital letters too, so that file systems which ignore case keep keys apart. The
// name ends in '='. One too long for a file name is cut into directories that end in
// '+'. Neither sign can come from a key, so a and a/b, or a and a long key that
// begins with it, do not get into each other's way.
const maxComponent = 200

// fileName is the key's path under its bucket's directory.
func fileName(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	name := b.String()
	var path strings.Builder
	for len(name) > maxComponent {
		path.WriteString(name[:maxComponent] + "+" + string(filepath.Separator))
		name = name[maxComponent:]
	}
	return path.String() + name + "="
}

// readKeys appends the keys under dir that begin with prefix; encoded is the part of
// their names that dir stands for.
func (s *Store) readKeys(keys []string, dir, encoded, prefix string) ([]string, error) {
	entries, err := s.readDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if head, ok := strings.CutSuffix(e.Name(), "+"); ok && e.IsDir() {
			if keys, err = s.readKeys(keys, filepath.Join(dir, e.Name()), encoded+head, prefix); err != nil {
				return nil, err
			}
		} else if tail, ok := strings.CutSuffix(e.Name(), "="); ok {
			if key, err := url.PathUnescape(encoded + tail); err == nil && strings.HasPrefix(key, prefix) {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}
