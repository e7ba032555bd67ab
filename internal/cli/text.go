package cli

import (
	"io"
	"unicode"
	"unicode/utf8"
)

// textWriter writes a stream of bytes from a model as text. What is not UTF-8 becomes
// U+FFFD, and so do control characters other than newline and tab: a model of unknown origin
// must not control the terminal.
type textWriter struct {
	w       io.Writer
	partial []byte // the beginning of a rune
}

var _ io.WriteCloser = (*textWriter)(nil)

func (t *textWriter) Write(p []byte) (int, error) {
	t.partial = append(t.partial, p...)
	var out []byte
	for utf8.FullRune(t.partial) {
		r, size := utf8.DecodeRune(t.partial)
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			r = utf8.RuneError
		}
		out, t.partial = utf8.AppendRune(out, r), t.partial[size:]
	}
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := t.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the text with a newline.
func (t *textWriter) Close() error {
	end := "\n"
	if len(t.partial) > 0 {
		end = "\uFFFD\n"
	}
	_, err := io.WriteString(t.w, end)
	return err
}
