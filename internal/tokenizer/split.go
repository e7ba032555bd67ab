package tokenizer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"templar/internal/tokenizer/ucd"
)

// splitter is a pre-tokenizer: it cuts text into parts that BPE does not merge across.
// start says that the text begins the document; at is where a part begins in text.
type splitter interface {
	split(text []byte, start bool, yield func(part []byte, at int))
}

// splitters compiles the pre-tokenizer of a file and tells whether BPE works on bytes.
func splitters(s *stage) (out []splitter, byteLevel bool, err error) {
	for _, part := range s.parts() {
		if byteLevel {
			return nil, false, fmt.Errorf("pre-tokenizer %q after ByteLevel is not supported", part.Type)
		}
		var next splitter
		switch part.Type {
		case "ByteLevel":
			byteLevel = true
			if isTrue(part.AddPrefixSpace, true) {
				out = append(out, prefixSpace{})
			}
			if !isTrue(part.UseRegex, true) {
				continue
			}
			next, err = newIsolate(gpt2)
		case "Split":
			next, err = newSplit(&part)
		case "Digits":
			behavior := "Contiguous"
			if part.Individual {
				behavior = "Isolated"
			}
			next, err = newSplitter(newRunes(ucd.MustLookup("rust:numeric")), behavior, false)
		case "Punctuation":
			next, err = newSplitter(newRunes(ucd.MustLookup("rust:punctuation")), cmp.Or(part.Behavior, "Isolated"), false)
		case "Whitespace":
			next = newWords()
		case "WhitespaceSplit":
			next, err = newSplitter(newRunes(ucd.MustLookup("rust:space")), "Removed", false)
		case "CharDelimiterSplit":
			next, err = newSplitter(newLiteral(part.Delimiter), "Removed", false)
		case "Metaspace":
			next, err = newMetaspace(&part)
		default:
			err = fmt.Errorf("pre-tokenizer %q is not supported", part.Type)
		}
		if err != nil {
			return nil, false, err
		}
		out = append(out, next)
	}
	return out, byteLevel, nil
}

func isTrue(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

// prefixSpace puts a space before text that has none.
type prefixSpace struct{}

func (prefixSpace) split(text []byte, _ bool, yield func(part []byte, at int)) {
	if text[0] != ' ' {
		text = append([]byte{' '}, text...)
	}
	yield(text, 0)
}

// isolate makes each match of a pattern a part, and what lies between matches.
type isolate struct {
	find  finder
	drops bool // what lies between matches is dropped
}

func newIsolate(expr string) (splitter, error) {
	f, err := newFinder(expr)
	return isolate{find: f}, err
}

func (p isolate) split(text []byte, _ bool, yield func(part []byte, at int)) {
	at := 0
	p.find(text, func(lo, hi int) bool {
		if lo > at && !p.drops {
			yield(text[at:lo], at)
		}
		if hi > lo {
			yield(text[lo:hi], lo)
		}
		at = hi
		return true
	})
	if at < len(text) && !p.drops {
		yield(text[at:], at)
	}
}

func newSplit(s *stage) (splitter, error) {
	var f finder
	var err error
	switch {
	case s.Pattern == nil:
		return nil, errors.New("pre-tokenizer Split without a pattern")
	case s.Pattern.Regex != nil:
		f, err = newFinder(*s.Pattern.Regex)
	case s.Pattern.String != nil && *s.Pattern.String != "":
		f = newLiteral(*s.Pattern.String)
	default:
		return nil, errors.New("pre-tokenizer Split on an empty string is not supported")
	}
	if err != nil {
		return nil, err
	}
	return newSplitter(f, s.Behavior, s.Invert)
}

// newSplitter splits at the matches of a finder, or at what they leave when inverted.
func newSplitter(f finder, behavior string, invert bool) (splitter, error) {
	switch behavior {
	case "Isolated":
		return isolate{find: f}, nil
	case "Removed":
		if invert {
			return isolate{find: f, drops: true}, nil
		}
		return merging{f, behavior, invert}, nil
	case "MergedWithPrevious", "MergedWithNext", "Contiguous":
		return merging{f, behavior, invert}, nil
	}
	return nil, fmt.Errorf("pre-tokenizer behavior %q is not supported", behavior)
}

// merging splits where parts are joined or removed.
type merging struct {
	find     finder
	behavior string
	invert   bool
}

// span is a part of a text, and whether it is a match.
type span struct {
	lo, hi int
	match  bool
}

func (p merging) split(text []byte, _ bool, yield func(part []byte, at int)) {
	for _, s := range p.join(p.spans(text)) {
		if s.hi > s.lo {
			yield(text[s.lo:s.hi], s.lo)
		}
	}
}

func (p merging) spans(text []byte) (out []span) {
	at := 0
	p.find(text, func(lo, hi int) bool {
		if lo > at {
			out = append(out, span{at, lo, p.invert})
		}
		out = append(out, span{lo, hi, !p.invert})
		at = hi
		return true
	})
	if at < len(text) {
		out = append(out, span{at, len(text), p.invert})
	}
	return out
}

// join applies the behaviour to spans, which come in order.
func (p merging) join(spans []span) (out []span) {
	if p.behavior == "MergedWithNext" {
		slices.Reverse(spans)
	}
	before := false
	for _, s := range spans {
		joins := s.match && !before
		if p.behavior == "Contiguous" {
			joins = s.match == before
		}
		switch last := len(out) - 1; {
		case p.behavior == "Removed":
			if !s.match {
				out = append(out, s)
			}
		case joins && last >= 0:
			out[last].lo, out[last].hi = min(out[last].lo, s.lo), max(out[last].hi, s.hi)
		default:
			out = append(out, s)
		}
		before = s.match
	}
	if p.behavior == "MergedWithNext" {
		slices.Reverse(out)
	}
	return out
}

// words keeps runs of word characters and runs of others that are no space.
type words struct{ word, space ucd.Set }

func newWords() splitter { return words{ucd.MustLookup("rust:word"), ucd.MustLookup("rust:space")} }

func (w words) split(text []byte, _ bool, yield func(part []byte, at int)) {
	from, kind := 0, 0 // 0 for spaces, 1 for words, 2 for others
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		next := 2
		if w.word.Contains(r) {
			next = 1
		} else if w.space.Contains(r) {
			next = 0
		}
		if next != kind {
			if kind > 0 {
				yield(text[from:at], from)
			}
			from, kind = at, next
		}
		at += n
	}
	if kind > 0 {
		yield(text[from:], from)
	}
}

// metaspace writes spaces as a visible character, adds one at the beginning, and
// makes each the beginning of a part.
type metaspace struct {
	replacement   []byte
	always, first bool // where one is added
	splits        bool
}

func newMetaspace(s *stage) (splitter, error) {
	m := metaspace{replacement: []byte(s.Replacement), splits: isTrue(s.Split, true)}
	if s.Replacement == "" {
		m.replacement = []byte(space)
	}
	switch s.PrependScheme {
	case "":
		m.always = isTrue(s.AddPrefixSpace, true)
	case "always":
		m.always = true
	case "first":
		m.first = true
	case "never":
	default:
		return nil, fmt.Errorf("pre-tokenizer Metaspace with prepend_scheme %q is not supported", s.PrependScheme)
	}
	return m, nil
}

func (m metaspace) split(text []byte, start bool, yield func(part []byte, at int)) {
	text = bytes.ReplaceAll(text, []byte(" "), m.replacement)
	if (m.always || m.first && start) && !bytes.HasPrefix(text, m.replacement) {
		text = append(m.replacement[:len(m.replacement):len(m.replacement)], text...)
	}
	at := 0
	for m.splits {
		n := bytes.Index(text[at+1:], m.replacement) // any byte but the first: a match there is this part's own
		if n < 0 {
			break
		}
		yield(text[at:at+1+n], at)
		at += n + 1
	}
	yield(text[at:], at)
}

// needsOffsets names a normaliser that makes it hard to say which part begins where the
// document began: the original asks that of its table of offsets. What a normaliser inserts
// there shares its offset with the character behind, so that two parts begin at offset 0
// once the text has been split.
func needsOffsets(s *stage, split bool) (string, bool) {
	for _, part := range s.parts() {
		switch part.Type {
		case "NFC", "Lowercase", "Prepend": // all of these insert, the first two rarely
			if split {
				return part.Type, true
			}
		case "Replace":
			if n := utf8.RuneCountInString(part.Content); n == 0 || n > 1 && split || part.Pattern == nil || part.Pattern.Regex != nil {
				return part.Type, true
			}
		default:
			return part.Type, true
		}
	}
	return "", false
}
