package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The patterns that most files have. They match everywhere, so that each match begins
// where the last one ended, and scanning by hand is many times faster.
const (
	gpt2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// finder returns the first match in text, which is not empty; lo == hi means none.
type finder func(text []byte) (lo, hi int)

func newFinder(expr string) (finder, error) {
	switch expr {
	case gpt2:
		return scanGPT2, nil
	case llama3:
		return func(text []byte) (int, int) { return scanLlama3(text, 3) }, nil
	case qwen2:
		return func(text []byte) (int, int) { return scanLlama3(text, 1) }, nil
	}
	return expressionFinder(expr)
}

const (
	lookahead = `\s+(?!\S)|\s+`                      // the one that these patterns use
	spaces    = `\t-\r \x{85}\p{Zs}\x{2028}\x{2029}` // Unicode's White_Space: Go's \s is ASCII
	window    = 256                                  // bytes looked at first: Go's matcher costs by what it is shown
)

// expressionFinder translates a pattern to Go's syntax. Go has no lookahead: at the end of
// a pattern, `\s+(?!\S)|\s+` becomes one group of spaces, of which the last is given back
// when something else follows and it is not the only one.
func expressionFinder(expr string) (finder, error) {
	const group = "spaces"
	translated, found := strings.CutSuffix(expr, lookahead)
	if found {
		translated += `(?P<` + group + `>\s+)`
	}
	re, err := regexp.Compile(unicodeSpaces(translated))
	if err != nil {
		return nil, fmt.Errorf("pattern %q is not supported: %w", expr, err)
	}
	at := re.SubexpIndex(group)
	return func(text []byte) (int, int) {
		for n := min(len(text), window); ; n = min(len(text), 4*n) {
			m := re.FindSubmatchIndex(text[:n])
			if n < len(text) && (m == nil || m[1]+utf8.UTFMax >= n) {
				continue // what lies behind the window may change the match
			}
			if m == nil {
				return 0, 0
			}
			if at > 0 && m[2*at] >= 0 && m[1] < len(text) {
				return m[0], giveBack(text, m[0], m[1])
			}
			return m[0], m[1]
		}
	}, nil
}

// unicodeSpaces writes \s out, within classes and without.
func unicodeSpaces(expr string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\' && i+1 < len(expr):
			i++
			switch {
			case expr[i] == 's' && class:
				b.WriteString(spaces)
			case expr[i] == 's':
				b.WriteString("[" + spaces + "]")
			case expr[i] == 'S' && !class:
				b.WriteString("[^" + spaces + "]")
			default:
				b.WriteString(expr[i-1 : i+1])
			}
		default:
			class = c == '[' || class && c != ']'
			b.WriteByte(c)
		}
	}
	return b.String()
}

// giveBack ends a run of spaces text[lo:hi], followed by something else, before its
// last one, unless that is all of it.
func giveBack(text []byte, lo, hi int) int {
	if _, n := utf8.DecodeLastRune(text[lo:hi]); hi-n > lo {
		return hi - n
	}
	return hi
}

type class uint8

const (
	other class = iota
	letter
	number
	blank
)

// classOf classifies the first character of text.
func classOf(text []byte) (c class, size int) {
	b := text[0]
	if b < utf8.RuneSelf {
		switch {
		case b|0x20 >= 'a' && b|0x20 <= 'z':
			return letter, 1
		case b >= '0' && b <= '9':
			return number, 1
		case b == ' ' || b >= '\t' && b <= '\r':
			return blank, 1
		}
		return other, 1
	}
	r, n := utf8.DecodeRune(text)
	switch {
	case unicode.IsLetter(r):
		return letter, n
	case unicode.IsNumber(r):
		return number, n
	case unicode.IsSpace(r):
		return blank, n
	}
	return other, n
}

// run is the end of the characters of a class from i on, at most limit of them (0: all).
func run(text []byte, i int, want class, limit int) int {
	for n := 0; i < len(text) && (limit == 0 || n < limit); n++ {
		c, size := classOf(text[i:])
		if c != want {
			break
		}
		i += size
	}
	return i
}

func scanGPT2(text []byte) (int, int) {
	if n := contraction(text, false); n > 0 {
		return 0, n
	}
	c, size := classOf(text)
	i := 0
	if text[0] == ' ' && len(text) > 1 {
		if next, n := classOf(text[1:]); next != blank {
			i, c, size = 1, next, n
		}
	}
	if c != blank {
		return 0, run(text, i+size, c, 0)
	}
	return 0, blanks(text)
}

func scanLlama3(text []byte, digits int) (int, int) {
	if n := contraction(text, true); n > 0 {
		return 0, n
	}
	c, size := classOf(text)
	if c == letter {
		return 0, run(text, size, letter, 0)
	}
	if c == number {
		return 0, run(text, 0, number, digits)
	}
	if text[0] != '\r' && text[0] != '\n' {
		if end := run(text, size, letter, 0); end > size {
			return 0, end
		}
	}
	i := 0
	if text[0] == ' ' {
		i = 1
	}
	if end := run(text, i, other, 0); end > i {
		return 0, newlines(text, end)
	}
	end := run(text, 0, blank, 0)
	for i := end; i > 0; i-- {
		if text[i-1] == '\r' || text[i-1] == '\n' {
			return 0, i
		}
	}
	return 0, blanks(text)
}

// blanks is the end of the match of \s+(?!\S)|\s+.
func blanks(text []byte) int {
	end := run(text, 0, blank, 0)
	if end == len(text) {
		return end
	}
	return giveBack(text, 0, end)
}

func newlines(text []byte, i int) int {
	for i < len(text) && (text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// contraction is the length of 's, 't, 're, 've, 'm, 'll or 'd at the beginning.
func contraction(text []byte, fold bool) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	if fold && strings.HasPrefix(string(text[1:min(3, len(text))]), "ſ") { // folds to s
		return 3
	}
	at := func(i int) byte {
		if i >= len(text) {
			return 0
		}
		if c := text[i]; fold && c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return text[i]
	}
	switch at(1) {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if at(2) == 'e' {
			return 3
		}
	case 'l':
		if at(2) == 'l' {
			return 3
		}
	}
	return 0
}
