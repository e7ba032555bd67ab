package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"templar/internal/strictjson"
)

const (
	// MaxFile bounds a tokenizer.json in bytes.
	MaxFile = 64 << 20
	// Ids may have holes, but memory is taken for the largest of them.
	maxHoles = 1 << 16
	// A stage's JSON is bounded in bytes, the parts of a stage in number: each has its patterns
	// and sees all of the text.
	maxStage = 1 << 20
	maxParts = 64
	// How many times as long a text may become before it is cut into tokens, and a token when it
	// becomes text again. The texts of all tokens are bounded in bytes as the file is.
	maxGrowth      = 128
	maxTokenGrowth = 16
	// Added tokens are bounded in number and bytes: a text is compared with them at each of its bytes.
	maxAddedTokens = 1 << 18
	maxAddedBytes  = 1 << 10
	// maxAround bounds the tokens that a template puts around a text.
	maxAround = 1 << 10
)

// file is the part of tokenizer.json that decides about ids and text.
type file struct {
	Added         addedList `json:"added_tokens"`
	Normalizer    *stage    `json:"normalizer"`
	PreTokenizer  *stage    `json:"pre_tokenizer"`
	PostProcessor *stage    `json:"post_processor"`
	Decoder       *stage    `json:"decoder"`
	Model         modelFile `json:"model"`
}

type modelFile struct {
	Type         string           `json:"type"`
	Dropout      *float64         `json:"dropout"`
	Unknown      string           `json:"unk_token"`
	Prefix       string           `json:"continuing_subword_prefix"`
	Suffix       string           `json:"end_of_word_suffix"`
	FuseUnknown  bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       []pairText       `json:"merges"`
}

// stage is a normalizer, pre-tokenizer, post-processor or decoder: the keys of all kinds.
type stage struct {
	Type          string  `json:"type"`
	Normalizers   []stage `json:"normalizers"`
	PreTokenizers []stage `json:"pretokenizers"`
	Processors    []stage `json:"processors"`
	Decoders      []stage `json:"decoders"`

	Prepend        string   `json:"prepend"`
	Content        string   `json:"content"`
	Pattern        *pattern `json:"pattern"`
	Behavior       string   `json:"behavior"`
	Invert         bool     `json:"invert"`
	AddPrefixSpace *bool    `json:"add_prefix_space"`
	UseRegex       *bool    `json:"use_regex"`
	Replacement    string   `json:"replacement"`
	PrependScheme  string   `json:"prepend_scheme"`
	Split          *bool    `json:"split"`
	Individual     bool     `json:"individual_digits"`
	Delimiter      string   `json:"delimiter"`
	StripLeft      *bool    `json:"strip_left"`
	StripRight     *bool    `json:"strip_right"`

	Single  []templateItem             `json:"single"`
	Special map[string]templateSpecial `json:"special_tokens"`
}

type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// templateItem is a special token or, when that is nil, the text.
type templateItem struct {
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
}

type templateSpecial struct {
	IDs []int32 `json:"ids"`
}

// UnmarshalJSONFrom reads a stage of bounded size: a list of the shortest would take a hundred
// times as much memory as text.
func (s *stage) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain stage
	if dec.StackDepth() > 1 { // within a stage
		return jsonv2.UnmarshalDecode(dec, (*plain)(s))
	}
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if len(text) > maxStage {
		return fmt.Errorf("a stage of %d bytes: at most %d are supported", len(text), maxStage)
	}
	return jsonv2.Unmarshal(text, (*plain)(s))
}

// addedList is added tokens, bounded in number while they are read.
type addedList []added

// UnmarshalJSONFrom reads them.
func (l *addedList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return jsonv2.UnmarshalDecode(dec, (*[]added)(l)) // null, or an error
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		var a added
		if err := jsonv2.UnmarshalDecode(dec, &a); err != nil {
			return err
		}
		if *l = append(*l, a); len(*l) > maxAddedTokens {
			return fmt.Errorf("more than %d added tokens are not supported", maxAddedTokens)
		}
	}
	_, err := dec.ReadToken()
	return err
}

// checkParts bounds the parts of a stage.
func (s *stage) checkParts(name string) error {
	if n := len(s.parts()); n > maxParts {
		return fmt.Errorf("%s of %d parts: at most %d are supported", name, n, maxParts)
	}
	return nil
}

// parts flattens a stage: a Sequence is its parts, in order.
func (s *stage) parts() []stage {
	if s == nil {
		return nil
	}
	if s.Type != "Sequence" {
		return []stage{*s}
	}
	var out []stage
	for _, list := range [][]stage{s.Normalizers, s.PreTokenizers, s.Processors, s.Decoders} {
		for i := range list {
			out = append(out, list[i].parts()...)
		}
	}
	return out
}

// pairText is a merge: "a b" in older files, ["a", "b"] in newer ones.
type pairText [2]string

// UnmarshalJSON reads either form.
func (p *pairText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var list []string
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		if len(list) != 2 {
			return fmt.Errorf("merge of %d parts", len(list))
		}
		*p = pairText(list)
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	left, right, ok := bytes.Cut([]byte(text), []byte(" "))
	if !ok || len(left) == 0 || len(right) == 0 {
		return fmt.Errorf("merge %q is not two parts", text)
	}
	*p = pairText{string(left), string(right)}
	return nil
}

// Load reads a tokenizer.json.
func Load(path string) (*Tokenizer, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads the contents of a tokenizer.json.
func Parse(text []byte) (*Tokenizer, error) {
	f, err := parse(text)
	if err != nil {
		return nil, err
	}
	t, err := compile(f, nil)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t.name(text)
	return t, nil
}

func parse(text []byte) (*file, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("tokenizer: file is over %d bytes", MaxFile)
	}
	f := new(file)
	if err := strictjson.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return f, nil
}

// check refuses what this package does not compute.
func (f *file) check() error {
	m := &f.Model
	switch {
	case m.Type != "BPE" && m.Type != "":
		return fmt.Errorf("model type %q is not supported: need BPE", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return errors.New("model dropout is not supported")
	case m.Prefix != "" || m.Suffix != "":
		return errors.New("continuing_subword_prefix and end_of_word_suffix are not supported")
	case len(m.Vocab) == 0:
		return errors.New("the vocabulary is empty")
	}
	limit := int32(min(len(m.Vocab)+len(f.Added)+maxHoles, math.MaxInt32))
	for word, id := range m.Vocab {
		if id < 0 || id >= limit {
			return fmt.Errorf("token %q has id %d: want 0 to %d", word, id, limit-1)
		}
	}
	if err := cmp.Or(f.Normalizer.checkParts("normalizer"), f.PreTokenizer.checkParts("pre-tokenizer"),
		f.PostProcessor.checkParts("post-processor"), f.Decoder.checkParts("decoder")); err != nil {
		return err
	}
	if g := growth(f.Normalizer.parts(), f.PreTokenizer.parts()); g > maxGrowth {
		return fmt.Errorf("a text may become %.0f times as long: at most %d times is supported", g, maxGrowth)
	}
	if g := growth(f.Decoder.parts()); g > maxTokenGrowth {
		return fmt.Errorf("decoded, a token may become %.0f times as long: at most %d times is supported", g, maxTokenGrowth)
	}
	return nil
}

// growth is how many times as long the stages can make a text.
func growth(stages ...[]stage) float64 {
	g := 1.0
	for i := range stages {
		for k := range stages[i] {
			g *= stages[i][k].growth()
		}
	}
	return g
}

// growth is a bound for one part and any text.
func (s *stage) growth() float64 {
	switch s.Type {
	case "NFC", "NFD":
		return 3
	case "NFKC", "NFKD":
		return 11
	case "Lowercase":
		return 1.5
	case "Prepend":
		return 1 + float64(len(s.Prepend)) // a text has a byte
	case "Replace":
		switch p := s.Pattern; {
		case p == nil:
		case p.String != nil && *p.String != "":
			return max(1, float64(len(s.Content))/float64(len(*p.String)))
		default: // may match nothing before each character and at the end
			return 2 + 2*float64(len(s.Content))
		}
	case "ByteLevel":
		return 2
	case "Metaspace":
		return 1 + float64(max(len(s.Replacement), len(space)))
	}
	return 1
}
