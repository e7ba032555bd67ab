// Package userfile reads paths and texts as people write them: a path that begins with "~", a
// secret with a newline behind it, a text with a byte order mark, and a file that is not the
// one that its name says.
package userfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Expand replaces a leading "~" by the home directory, as shells do. They do it for arguments
// only: not for what stands in a file, in the environment or behind "--flag=".
func Expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	if rest != "" && !os.IsPathSeparator(rest[0]) {
		return "", fmt.Errorf("%s: only ~/ is known, the own home directory: write the path out (./%[1]s if the name begins so)", path)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return filepath.Join(home, rest), nil
}

// byteOrderMark is what some editors write before UTF-8.
const byteOrderMark = "\ufeff"

// Trim takes away what editors and shells put around a value that is one line: a byte order
// mark, and spaces and line ends on both sides.
func Trim(s string) string {
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), byteOrderMark))
}

// JSON prepares the bytes of a file that ought to be JSON: it takes away a byte order mark, and
// says of what is something else what it is. Its errors quote nothing of the file.
func JSON(b []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return nil, errors.New("is UTF-16: save it as UTF-8")
	case bytes.HasPrefix(b, []byte("version https://git-lfs.github.com/spec/")):
		return nil, errors.New("is a Git LFS pointer, not the file itself: run \"git lfs pull\" where it came from")
	case len(bytes.TrimSpace(b)) == 0:
		return nil, errors.New("is empty")
	}
	return bytes.TrimPrefix(b, []byte(byteOrderMark)), nil
}
