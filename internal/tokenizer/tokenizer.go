package tokenizer

import (
	"crypto/sha256"
	"fmt"
	"sync"
)

// Tokenizer encodes and decodes. It is safe for concurrent use.
type Tokenizer struct {
	id     string
	size   int
	vocab  map[string]int32
	added  *addedTokens
	raw    addedSet // matched in the text as it stands
	normal addedSet // matched after normalisation
	norms  []func([]byte) []byte
	splits []splitter
	bpe    bpe

	ends           map[string]int32 // ids of the tokens that a folder names
	prefix, suffix []int32          // of the post-processor's template
	pieces         [][]byte         // text of each id
	strip          bool             // decoding drops one space at the start

	scratch sync.Pool // *scratch
}

// scratch is what one call of Encode needs, and a cache of words from earlier calls.
type scratch struct {
	merger merger
	cache  map[string][]int32
}

// cacheWords bounds a cache. Words follow Zipf's law: most of a text is few of them.
const (
	cacheWords    = 1 << 15
	cacheWordSize = 64
)

func compile(f *file, more []added) (*Tokenizer, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	t := &Tokenizer{vocab: f.Model.Vocab, ends: make(map[string]int32)}
	t.scratch.New = func() any { return &scratch{cache: make(map[string][]int32)} }
	for _, id := range t.vocab {
		t.size = max(t.size, int(id)+1)
	}
	var err error
	if t.norms, err = normalizers(f.Normalizer); err != nil {
		return nil, err
	}
	var byteLevel bool
	if t.splits, byteLevel, err = splitters(f.PreTokenizer); err != nil {
		return nil, err
	}
	for i, s := range t.splits {
		if m, is := s.(metaspace); !is || !m.first {
			continue
		}
		if name, hard := needsOffsets(f.Normalizer, i > 0); hard {
			return nil, fmt.Errorf("pre-tokenizer Metaspace with prepend_scheme first behind normalizer %q is not supported", name)
		}
	}
	tokens := newAddedTokens(f.Model.Vocab)
	tokens.add(f.Added)
	tokens.add(more)
	if err := t.setAdded(tokens); err != nil {
		return nil, err
	}
	if err := t.template(f.PostProcessor); err != nil {
		return nil, err
	}
	if t.bpe, err = newBPE(&f.Model, byteLevel); err != nil {
		return nil, err
	}
	return t, t.decoder(f, byteLevel)
}

func (t *Tokenizer) name(text []byte) {
	sum := sha256.Sum256(text)
	t.id = fmt.Sprintf("huggingface-%x", sum[:8])
}

// Name tells tokenizers apart: it holds a hash of the file.
func (t *Tokenizer) Name() string { return t.id }

// VocabSize is the number of ids, all of which lie below it.
func (t *Tokenizer) VocabSize() int { return t.size }

// ID is the id of a token by its text in the file.
func (t *Tokenizer) ID(token string) (id int32, ok bool) {
	return t.added.id(token)
}

// Around is what the file's template puts before and after a text, such as the
// beginning-of-sequence token.
func (t *Tokenizer) Around() (before, after []int32) { return t.prefix, t.suffix }

// Encode appends the ids of a document to dst, without the tokens of Around.
func (t *Tokenizer) Encode(dst []int32, text []byte) []int32 {
	s := t.scratch.Get().(*scratch)
	defer t.scratch.Put(s)
	start := true
	t.raw.cut(text, func(part []byte, id int32) {
		if id >= 0 {
			dst = append(dst, id)
		} else {
			dst = t.plain(dst, s, part, start)
		}
		start = false
	})
	return dst
}

// plain encodes text between added tokens; start says that it begins the document.
func (t *Tokenizer) plain(dst []int32, s *scratch, text []byte, start bool) []int32 {
	for _, n := range t.norms {
		text = n(text)
	}
	t.normal.cut(text, func(part []byte, id int32) {
		if id >= 0 {
			dst = append(dst, id)
		} else {
			dst = t.words(dst, s, 0, part, start)
		}
		start = false
	})
	return dst
}

// words passes text through the splitters from the given one on, then to BPE.
func (t *Tokenizer) words(dst []int32, s *scratch, from int, text []byte, start bool) []int32 {
	if len(text) == 0 {
		return dst
	}
	if from == len(t.splits) {
		return t.word(dst, s, text)
	}
	t.splits[from].split(text, start, func(part []byte, at int) {
		dst = t.words(dst, s, from+1, part, start && at == 0)
	})
	return dst
}

// word encodes a word, or more of them where no splitter split and BPE can.
func (t *Tokenizer) word(dst []int32, s *scratch, text []byte) []int32 {
	if !t.bpe.separable {
		return t.cached(dst, s, text)
	}
	for len(text) > 0 {
		n := wordEnd(text)
		dst, text = t.cached(dst, s, text[:n]), text[n:]
	}
	return dst
}

func (t *Tokenizer) cached(dst []int32, s *scratch, word []byte) []int32 {
	if ids, ok := s.cache[string(word)]; ok {
		return append(dst, ids...)
	}
	from := len(dst)
	dst = t.bpe.encode(dst, &s.merger, word)
	if len(word) <= cacheWordSize {
		if len(s.cache) == cacheWords {
			clear(s.cache)
		}
		s.cache[string(word)] = append([]int32(nil), dst[from:]...)
	}
	return dst
}
