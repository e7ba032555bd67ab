package tokenizer

import (
	"bytes"
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// added is a token that is cut out of the text before BPE sees it.
type added struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LeftStrip  bool   `json:"lstrip"`
	RightStrip bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// addedSet finds added tokens, the longest where several begin.
type addedSet struct {
	byFirst [256][]added
	count   int
}

// addTokens sorts added tokens into the sets.
func (t *Tokenizer) addTokens(tokens []added) {
	for _, a := range tokens {
		t.size = max(t.size, int(a.ID)+1)
		if a.Normalized && len(t.norms) > 0 {
			content := []byte(a.Content)
			for _, n := range t.norms {
				content = n(content)
			}
			a.Content = string(content)
			t.normal.add(a)
		} else {
			t.raw.add(a)
		}
	}
}

func (s *addedSet) add(a added) {
	if a.Content == "" { // normalised away
		return
	}
	list := append(s.byFirst[a.Content[0]], a)
	slices.SortStableFunc(list, func(a, b added) int { return cmp.Compare(len(b.Content), len(a.Content)) })
	s.byFirst[a.Content[0]] = list
	s.count++
}

func (s *addedSet) find(content string) (int32, bool) {
	if content == "" {
		return 0, false
	}
	for _, a := range s.byFirst[content[0]] {
		if a.Content == content {
			return a.ID, true
		}
	}
	return 0, false
}

// cut yields the parts of text: those that are added tokens with their id, the others
// with -1. Empty parts are left out.
func (s *addedSet) cut(text []byte, yield func(part []byte, id int32)) {
	from := 0
	for i := 0; s.count > 0 && i < len(text); {
		a := s.at(text, i)
		if a == nil {
			i++
			continue
		}
		lo, hi := i, i+len(a.Content)
		if a.LeftStrip {
			lo = from + len(bytes.TrimRightFunc(text[from:lo], unicode.IsSpace))
		}
		if a.RightStrip {
			hi = len(text) - len(bytes.TrimLeftFunc(text[hi:], unicode.IsSpace))
		}
		if lo > from {
			yield(text[from:lo], -1)
		}
		yield(text[lo:hi], a.ID)
		from, i = hi, hi
	}
	if from < len(text) {
		yield(text[from:], -1)
	}
}

// at is the token that begins at text[i], nil for none.
func (s *addedSet) at(text []byte, i int) *added {
	list := s.byFirst[text[i]]
	for k := range list {
		a := &list[k]
		if len(a.Content) <= len(text)-i && string(text[i:i+len(a.Content)]) == a.Content && (!a.SingleWord || alone(text, i, i+len(a.Content))) {
			return a
		}
	}
	return nil
}

// alone tells whether text[lo:hi] has no letter, digit or underscore next to it.
func alone(text []byte, lo, hi int) bool {
	before, _ := utf8.DecodeLastRune(text[:lo])
	after, _ := utf8.DecodeRune(text[hi:])
	return !wordRune(before) && !wordRune(after)
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
