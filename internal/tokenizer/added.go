package tokenizer

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
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
	tokens      []added  // sorted by their text
	first       [257]int // where those with a first byte begin
	word, space ucd.Set
}

// setAdded sorts added tokens into the sets.
func (t *Tokenizer) setAdded(s *addedTokens) error {
	t.added = s
	for _, set := range []*addedSet{&t.raw, &t.normal} {
		set.word, set.space = ucd.MustLookup("rust:word"), ucd.MustLookup("rust:space")
	}
	for _, a := range slices.Concat(s.special, s.plain) {
		a = s.byID[s.ids[a.Content]] // the flags of the one that came last count
		t.size = max(t.size, int(a.id)+1)
		if len(a.Content) > maxAddedBytes {
			return fmt.Errorf("an added token of %d bytes is not supported", len(a.Content))
		}
		if !a.Normalized {
			t.raw.tokens = append(t.raw.tokens, a)
			continue
		}
		text := []byte(a.Content)
		for _, n := range t.norms {
			text = n(text)
		}
		if len(text) > 0 { // else normalised away
			a.Content = string(text)
			t.normal.tokens = append(t.normal.tokens, a)
		}
	}
	t.raw.sort()
	t.normal.sort()
	return nil
}

// sort makes the tokens ready; of those with the same text, the first counts.
func (s *addedSet) sort() {
	slices.SortStableFunc(s.tokens, func(a, b added) int { return cmp.Compare(a.Content, b.Content) })
	s.tokens = slices.CompactFunc(s.tokens, func(a, b added) bool { return a.Content == b.Content })
	for _, a := range s.tokens {
		s.first[int(a.Content[0])+1]++
	}
	for b := range 256 {
		s.first[b+1] += s.first[b]
	}
}

// cut yields the parts of text: those that are added tokens with their id, the others
// with -1. Empty parts are left out.
func (s *addedSet) cut(text []byte, yield func(part []byte, id int32)) {
	from, spaces := 0, 0 // spaces that are stripped on the right end there
	for i := 0; len(s.tokens) > 0 && i < len(text); {
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
			lo = max(from, lo)
			lo = from + len(bytes.TrimRightFunc(text[from:lo], s.space.Contains))
		}
		if a.RightStrip {
			if hi >= spaces { // else this token is one of the spaces
				spaces = len(text) - len(bytes.TrimLeftFunc(text[hi:], s.space.Contains))
			}
			hi = spaces
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
func (s *addedSet) at(text []byte, i int) (longest *added) {
	rest := text[i:]
	list := s.tokens[s.first[rest[0]]:s.first[int(rest[0])+1]]
	for n := 1; len(list) > 0; n++ { // those that begin with rest[:n]
		if len(list) == 1 {
			if a := &list[0]; len(a.Content) <= len(rest) && string(rest[:len(a.Content)]) == a.Content {
				return a
			}
			return longest
		}
		if len(list[0].Content) == n {
			longest, list = &list[0], list[1:]
		}
		if n == len(rest) {
			return longest
		}
		lo := sort.Search(len(list), func(k int) bool { return list[k].Content[n] >= rest[n] })
		hi := sort.Search(len(list), func(k int) bool { return list[k].Content[n] > rest[n] })
		list = list[lo:hi]
	}
	return longest
}

// alone tells whether text[lo:hi] has no word character next to it.
func (s *addedSet) alone(text []byte, lo, hi int) bool {
	before, n := utf8.DecodeLastRune(text[:lo])
	after, m := utf8.DecodeRune(text[hi:])
	return (n == 0 || !s.word.Contains(before)) && (m == 0 || !s.word.Contains(after))
}
