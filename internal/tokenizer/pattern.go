package tokenizer

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"templar/internal/tokenizer/onig"
	"templar/internal/tokenizer/ucd"
)

// The patterns that most files have. They match everywhere, so that each match begins
// where the last one ended, and scanning by hand is many times faster.
const (
	gpt2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// finder yields the matches of a pattern in text, from left to right.
type finder func(text []byte, yield func(lo, hi int) bool)

func newFinder(expr string) (finder, error) {
	switch expr {
	case gpt2:
		return scanner(scanGPT2), nil
	case llama3:
		return scanner(func(text []byte) int { return scanLlama3(text, 3) }), nil
	case qwen2:
		return scanner(func(text []byte) int { return scanLlama3(text, 1) }), nil
	}
	p, err := onig.Compile(expr)
	if err != nil {
		return nil, err
	}
	return p.All, nil
}

// scanner repeats a scan for the match that begins a text.
func scanner(scan func(text []byte) int) finder {
	return func(text []byte, yield func(lo, hi int) bool) {
		for at := 0; at < len(text); {
			lo := at
			at += scan(text[at:])
			if !yield(lo, at) {
				return
			}
		}
	}
}

// newLiteral finds a string.
func newLiteral(want string) finder {
	return func(text []byte, yield func(lo, hi int) bool) {
		for at := 0; ; {
			n := bytes.Index(text[at:], []byte(want))
			if n < 0 || !yield(at+n, at+n+len(want)) {
				return
			}
			at += n + len(want)
		}
	}
}

// newRunes finds single characters of a set.
func newRunes(set ucd.Set) finder {
	return func(text []byte, yield func(lo, hi int) bool) {
		for at := 0; at < len(text); {
			r, n := utf8.DecodeRune(text[at:])
			if set.Contains(r) && !yield(at, at+n) {
				return
			}
			at += n
		}
	}
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
	return classes().of(r), n
}

// classTable classifies all characters, in pages of 256 that many share.
type classTable [(ucd.MaxRune + 1) >> 8]*[256]class

func (t *classTable) of(r rune) class { return t[r>>8][r&0xff] }

var classes = sync.OnceValue(func() *classTable {
	t := new(classTable)
	shared := make(map[[256]class]*[256]class)
	sets := map[class]ucd.Set{letter: ucd.MustLookup("l"), number: ucd.MustLookup("n"), blank: ucd.MustLookup(`\s`)}
	for i := range t {
		var page [256]class
		for c, set := range sets {
			for _, r := range set {
				for k := max(r.Lo, rune(i)<<8); k <= min(r.Hi, rune(i)<<8+255); k++ {
					page[k&0xff] = c
				}
			}
		}
		if shared[page] == nil {
			shared[page] = &page
		}
		t[i] = shared[page]
	}
	return t
})

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

func scanGPT2(text []byte) int {
	if n := contraction(text, false); n > 0 {
		return n
	}
	c, size := classOf(text)
	i := 0
	if text[0] == ' ' && len(text) > 1 {
		if next, n := classOf(text[1:]); next != blank {
			i, c, size = 1, next, n
		}
	}
	if c != blank {
		return run(text, i+size, c, 0)
	}
	return blanks(text)
}

func scanLlama3(text []byte, digits int) int {
	if n := contraction(text, true); n > 0 {
		return n
	}
	c, size := classOf(text)
	if c == letter {
		return run(text, size, letter, 0)
	}
	if c == number {
		return run(text, 0, number, digits)
	}
	if text[0] != '\r' && text[0] != '\n' {
		if end := run(text, size, letter, 0); end > size {
			return end
		}
	}
	i := 0
	if text[0] == ' ' {
		i = 1
	}
	if end := run(text, i, other, 0); end > i {
		return newlines(text, end)
	}
	end := run(text, 0, blank, 0)
	for i := end; i > 0; i-- {
		if text[i-1] == '\r' || text[i-1] == '\n' {
			return i
		}
	}
	return blanks(text)
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
