// Package strictjson reads JSON that other programs wrote: model folders, tokenizers,
// data, key files. Names match in their own case only, a name that stands twice in an
// object is an error, and so is text that is not UTF-8; null sets a value to its zero. A
// byte order mark in front is passed over. NaN, Infinity and -Infinity, which Python
// writes, are read as the strings of these names: where a number is asked for they are an
// error that shows them, elsewhere they do no harm.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Unmarshal reads one value. The nesting that it follows is bounded.
func Unmarshal(b []byte, v any) error {
	b, err := Text(b)
	if err != nil {
		return err
	}
	err = json.Unmarshal(b, v)
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if quoted, changed := quoteNumbers(b); changed {
			if err = json.Unmarshal(quoted, v); err != nil {
				return fmt.Errorf("JSON with NaN or Infinity: %w", err)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	return nil
}

// Text passes over a byte order mark and names what cannot be JSON.
func Text(b []byte) ([]byte, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return nil, errors.New("text is UTF-16: convert it to UTF-8")
	case bytes.HasPrefix(b, []byte(lfs)):
		return nil, ErrLFS
	case len(bytes.TrimSpace(b)) == 0:
		return nil, errors.New("JSON: empty file, unexpected end")
	}
	return b, nil
}

const lfs = "version https://git-lfs.github.com/spec/"

// ErrLFS says that a file is a stand-in.
var ErrLFS = errors.New(`a Git LFS pointer, not the file itself: fetch it with "git lfs pull"`)

// IsLFS tells whether a file that begins so is a Git LFS pointer.
func IsLFS(head []byte) bool { return bytes.HasPrefix(head, []byte(lfs)) }

// quoteNumbers makes strings of the numbers that JSON lacks.
func quoteNumbers(b []byte) (out []byte, changed bool) {
	for i := 0; i < len(b); {
		if b[i] == '"' {
			end := stringEnd(b, i)
			out = append(out, b[i:end]...)
			i = end
			continue
		}
		word := ""
		for _, w := range []string{"NaN", "-Infinity", "Infinity"} {
			if bytes.HasPrefix(b[i:], []byte(w)) {
				word = w
				break
			}
		}
		if word == "" {
			out = append(out, b[i])
			i++
			continue
		}
		out = append(append(append(out, '"'), word...), '"')
		i += len(word)
		changed = true
	}
	return out, changed
}

// stringEnd is where the string that begins at i ends.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
