package tokenizer

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"

	"templar/internal/tokenizer/ucd"
)

// added is a token that is cut out of the text before BPE sees it. The id that stands
// beside it in the file is not looked at.
type added struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LeftStrip  bool   `json:"lstrip"`
	RightStrip bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`

	id int32
}

// addedTokens numbers tokens as they are added: one that the vocabulary has keeps its id,
// others get the next ones behind the number of words in the vocabulary and behind those
// added before.
type addedTokens struct {
	vocab          map[string]int32
	ids            map[string]int32
	byID           map[int32]added
	special, plain []added // in order; of special ones with the same text, the first
	specials       map[string]bool
	last           int32 // the largest id, -1 for none
}

func newAddedTokens(vocab map[string]int32) *addedTokens {
	return &addedTokens{vocab: vocab, ids: map[string]int32{}, byID: map[int32]added{}, specials: map[string]bool{}, last: -1}
}

func (s *addedTokens) id(content string) (int32, bool) {
	if id, ok := s.ids[content]; ok {
		return id, true
	}
	id, ok := s.vocab[content]
	return id, ok
}

// add takes a batch, special ones first.
func (s *addedTokens) add(tokens []added) {
	for _, a := range tokens {
		if a.Special && a.Content != "" && !s.specials[a.Content] {
			s.specials[a.Content] = true
			s.special = append(s.special, a)
		}
	}
	for _, a := range tokens {
		id, known := s.id(a.Content)
		if !known {
			id = max(int32(len(s.vocab)), s.last+1)
		}
		if a.id = id; a.Content == "" || s.byID[id] == a {
			continue
		}
		s.ids[a.Content], s.byID[id], s.last = id, a, max(s.last, id)
		if !s.specials[a.Content] {
			s.plain = append(s.plain, a)
		}
	}
}

// addedSet finds added tokens, the longest where several begin.
type addedSet struct {
	byFirst     [256][]added
	count       int
	word, space ucd.Set
}

// setAdded sorts added tokens into the sets.
func (t *Tokenizer) setAdded(s *addedTokens) {
	t.added = s
	for _, set := range []*addedSet{&t.raw, &t.normal} {
		set.word, set.space = ucd.MustLookup("rust:word"), ucd.MustLookup("rust:space")
	}
	for _, a := range slices.Concat(s.special, s.plain) {
		a = s.byID[s.ids[a.Content]] // the flags of the one that came last count
		t.size = max(t.size, int(a.id)+1)
		if !a.Normalized {
			t.raw.add(a)
			continue
		}
		text := []byte(a.Content)
		for _, n := range t.norms {
			text = n(text)
		}
		a.Content = string(text)
		t.normal.add(a)
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
		if i = hi; a.SingleWord && !s.alone(text, lo, hi) {
			continue // passed over whole: what else begins within it is not looked for
		}
		if a.LeftStrip {
			lo = max(from, len(bytes.TrimRightFunc(text[:lo], s.space.Contains)))
		}
		if a.RightStrip {
			hi = len(text) - len(bytes.TrimLeftFunc(text[hi:], s.space.Contains))
		}
		if lo > from {
			yield(text[from:lo], -1)
		}
		if hi > lo { // the token before may have stripped all of it
			yield(text[lo:hi], a.id)
		}
		from = hi
	}
	if from < len(text) {
		yield(text[from:], -1)
	}
}

// at is the longest token that begins at text[i], nil for none.
func (s *addedSet) at(text []byte, i int) *added {
	list := s.byFirst[text[i]]
	for k := range list {
		a := &list[k]
		if len(a.Content) <= len(text)-i && string(text[i:i+len(a.Content)]) == a.Content {
			return a
		}
	}
	return nil
}

// alone tells whether text[lo:hi] has no word character next to it.
func (s *addedSet) alone(text []byte, lo, hi int) bool {
	before, n := utf8.DecodeLastRune(text[:lo])
	after, m := utf8.DecodeRune(text[hi:])
	return (n == 0 || !s.word.Contains(before)) && (m == 0 || !s.word.Contains(after))
}
