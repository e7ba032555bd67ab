package tokenizer

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding (Sennrich et al. 2016) as Hugging Face's tokenizers run it:
// of all adjacent pairs that training merged, the one that it merged first is merged
// first, the leftmost of equals.
type bpe struct {
	merges       map[uint64]merge // by pair
	whole        map[string]int32 // words in the vocabulary, where merges are ignored for them
	bytes        [256]int32       // id of a byte, -1 for none
	runes        map[rune]int32   // id of a character
	byteLevel    bool             // symbols are bytes, not characters
	byteFallback bool
	unknown      int32 // -1 for none
	fuse         bool
	separable    bool // no token reaches over the beginning of a word
}

type merge struct{ rank, id int32 }

// space stands for a space in vocabularies over characters.
const space = "▁"

func pair(a, b int32) uint64 { return uint64(a)<<32 | uint64(b) }

func newBPE(m *modelFile, byteLevel bool) (bpe, error) {
	b := bpe{
		merges: make(map[uint64]merge, len(m.Merges)), byteLevel: byteLevel, unknown: -1,
		byteFallback: m.ByteFallback && !byteLevel, fuse: m.FuseUnknown,
	}
	for v := range b.bytes {
		if _, known := m.Vocab[string(byteRune(byte(v)))]; m.ByteFallback && byteLevel && !known {
			return b, fmt.Errorf("byte_fallback behind ByteLevel is not supported where the vocabulary lacks a byte (%#02x)", v)
		}
	}
	if m.Unknown != "" {
		id, ok := m.Vocab[m.Unknown]
		if !ok {
			return b, fmt.Errorf("unk_token %q is not in the vocabulary", m.Unknown)
		}
		b.unknown = id
	}
	b.symbols(m)
	_, known := m.Vocab[space]
	b.separable = !byteLevel && known && !m.IgnoreMerges
	for rank, p := range m.Merges {
		left, okLeft := m.Vocab[p[0]]
		right, okRight := m.Vocab[p[1]]
		id, ok := m.Vocab[p[0]+p[1]]
		if !okLeft || !okRight || !ok {
			return b, fmt.Errorf("merge %d of %q and %q: a part or the whole is not in the vocabulary", rank, p[0], p[1])
		}
		b.merges[pair(left, right)] = merge{int32(rank), id} // of two of a pair, the last counts
		if !strings.HasSuffix(p[0], space) && strings.HasPrefix(p[1], space) {
			b.separable = false
		}
	}
	return b, nil
}

// symbols fills the tables of the ids that encoding begins with.
func (b *bpe) symbols(m *modelFile) {
	b.runes = make(map[rune]int32)
	if m.IgnoreMerges {
		b.whole = make(map[string]int32, len(m.Vocab))
	}
	for i := range b.bytes {
		b.bytes[i] = -1
	}
	for word, id := range m.Vocab {
		if r, n := utf8.DecodeRuneInString(word); n == len(word) && n > 0 {
			b.runes[r] = id
		}
		if v, ok := fallbackByte(word); ok && b.byteFallback {
			b.bytes[v] = id
		}
		if b.whole != nil {
			if text, ok := b.text(word); ok {
				b.whole[string(text)] = id
			}
		}
	}
	if b.byteLevel {
		for v := range b.bytes {
			if id, ok := b.runes[byteRune(byte(v))]; ok {
				b.bytes[v] = id
			}
		}
	}
}

// text is the text that a word of the vocabulary stands for, if any can.
func (b *bpe) text(word string) ([]byte, bool) {
	if b.byteLevel {
		return levelBytes(word)
	}
	return []byte(word), true
}

// encode appends the ids of a word.
func (b *bpe) encode(dst []int32, m *merger, word []byte) []int32 {
	if b.whole != nil {
		if id, ok := b.whole[string(word)]; ok {
			return append(dst, id)
		}
	}
	m.ids = m.ids[:0]
	if b.byteLevel {
		m.ids = b.ofBytes(m.ids, word)
	} else {
		m.ids = b.ofRunes(m.ids, word)
	}
	return m.run(dst, b.merges)
}

func (b *bpe) ofBytes(ids []int32, word []byte) []int32 {
	unknown := unknownRun{b: b}
	for _, v := range word {
		if id := b.bytes[v]; id >= 0 {
			ids = append(unknown.end(ids), id)
		} else {
			ids = unknown.add(ids)
		}
	}
	return unknown.end(ids)
}

func (b *bpe) ofRunes(ids []int32, word []byte) []int32 {
	unknown := unknownRun{b: b}
	for len(word) > 0 {
		r, n := utf8.DecodeRune(word)
		char := word[:n]
		word = word[n:]
		if id, ok := b.runes[r]; ok && (r != utf8.RuneError || n > 1) {
			ids = append(unknown.end(ids), id)
		} else if b.hasBytes(char) {
			for _, v := range char {
				ids = append(ids, b.bytes[v])
			}
		} else {
			ids = unknown.add(ids)
		}
	}
	return unknown.end(ids)
}

func (b *bpe) hasBytes(char []byte) bool {
	for _, v := range char {
		if b.bytes[v] < 0 {
			return false
		}
	}
	return b.byteFallback
}

// unknownRun holds back the unknown token, so that a run of them can become one.
type unknownRun struct {
	b    *bpe
	open bool
}

func (u *unknownRun) add(ids []int32) []int32 {
	if u.b.unknown < 0 {
		return ids
	}
	if u.open && !u.b.fuse {
		ids = append(ids, u.b.unknown)
	}
	u.open = true
	return ids
}

func (u *unknownRun) end(ids []int32) []int32 {
	if u.open {
		u.open = false
		ids = append(ids, u.b.unknown)
	}
	return ids
}

// wordEnd is the length of the first word of text: spaces, then what is none.
func wordEnd(text []byte) int {
	i := 0
	for bytes.HasPrefix(text[i:], []byte(space)) {
		i += len(space)
	}
	if n := bytes.Index(text[i:], []byte(space)); n >= 0 {
		return i + n
	}
	return len(text)
}
