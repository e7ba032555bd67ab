package tokenizer

import (
	"bytes"
	"fmt"
)

// splitter is a pre-tokenizer: it cuts text into parts that BPE does not merge across.
// start says that the text begins the document.
type splitter interface {
	split(text []byte, start bool, yield func([]byte))
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
			expr := `\p{N}+`
			if part.Individual {
				expr = `\p{N}`
			}
			next, err = newIsolate(expr)
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

func (prefixSpace) split(text []byte, _ bool, yield func([]byte)) {
	if text[0] != ' ' {
		text = append([]byte{' '}, text...)
	}
	yield(text)
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

func newSplit(s *stage) (splitter, error) {
	if s.Pattern == nil || s.Pattern.Regex == "" {
		return nil, fmt.Errorf("pre-tokenizer Split without a Regex is not supported")
	}
	isolated, removed := s.Behavior == "Isolated" && !s.Invert, s.Behavior == "Removed" && s.Invert
	if !isolated && !removed {
		return nil, fmt.Errorf("pre-tokenizer Split with behavior %q and invert %v is not supported", s.Behavior, s.Invert)
	}
	f, err := newFinder(s.Pattern.Regex)
	return isolate{find: f, drops: removed}, err
}

func (p isolate) split(text []byte, _ bool, yield func([]byte)) {
	for len(text) > 0 {
		lo, hi := p.find(text)
		if hi == lo { // no match, or one of nothing: none follows
			lo, hi = len(text), len(text)
		}
		if lo > 0 && !p.drops {
			yield(text[:lo])
		}
		if hi > lo {
			yield(text[lo:hi])
		}
		text = text[hi:]
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

func (m metaspace) split(text []byte, start bool, yield func([]byte)) {
	text = bytes.ReplaceAll(text, []byte(" "), m.replacement)
	if (m.always || m.first && start) && !bytes.HasPrefix(text, m.replacement) {
		text = append(m.replacement[:len(m.replacement):len(m.replacement)], text...)
	}
	for m.splits {
		n := bytes.Index(text[1:], m.replacement) // any byte but the first: a match there is this part's own
		if n < 0 {
			break
		}
		yield(text[:n+1])
		text = text[n+1:]
	}
	yield(text)
}
