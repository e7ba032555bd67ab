package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"templar/internal/strictjson"
)

// The files of a model's folder that decide about ids.
const (
	File         = "tokenizer.json"
	ConfigFile   = "tokenizer_config.json"
	SpecialsFile = "special_tokens_map.json"
	AddedFile    = "added_tokens.json"
)

// maxConfig bounds the files beside tokenizer.json, which name tokens only.
const maxConfig = 16 << 20

// LoadFolder reads the tokenizer of a model's folder as transformers' AutoTokenizer does:
// tokenizer.json, with the tokens and the ends of texts that the other files add.
func LoadFolder(dir string) (*Tokenizer, error) {
	files := make(map[string][]byte)
	for _, name := range []string{File, ConfigFile, SpecialsFile, AddedFile} {
		text, err := readBounded(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && name != File {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
		files[name] = text
	}
	t, err := ParseFolder(files)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return t, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(text) > MaxFile {
		err = fmt.Errorf("%s is over %d bytes", path, MaxFile)
	}
	return text, err
}

// config is the part of tokenizer_config.json that decides about ids.
type config struct {
	Class          string                `json:"tokenizer_class"`
	AddBOS         *bool                 `json:"add_bos_token"`
	AddEOS         *bool                 `json:"add_eos_token"`
	AddPrefixSpace *bool                 `json:"add_prefix_space"`
	SplitSpecial   bool                  `json:"split_special_tokens"`
	Decoder        map[string]namedToken `json:"added_tokens_decoder"`
	specialNames
}

// specialNames are tokens by their part.
type specialNames struct {
	BOS        *namedToken  `json:"bos_token"`
	EOS        *namedToken  `json:"eos_token"`
	Unknown    *namedToken  `json:"unk_token"`
	Separator  *namedToken  `json:"sep_token"`
	Pad        *namedToken  `json:"pad_token"`
	Class      *namedToken  `json:"cls_token"`
	Mask       *namedToken  `json:"mask_token"`
	Additional []namedToken `json:"additional_special_tokens"`
}

// list is the names in transformers' order.
func (s *specialNames) list() (out []namedToken) {
	for _, n := range []*namedToken{s.BOS, s.EOS, s.Unknown, s.Separator, s.Pad, s.Class, s.Mask} {
		if n != nil && n.Content != "" {
			out = append(out, *n)
		}
	}
	return append(out, s.Additional...)
}

// namedToken is a token as text, or in an object with its flags.
type namedToken struct{ added }

// UnmarshalJSON reads either form.
func (n *namedToken) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		n.Special = true
		return strictjson.Unmarshal(b, &n.Content)
	}
	var object struct {
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LeftStrip  bool   `json:"lstrip"`
		RightStrip bool   `json:"rstrip"`
		Normalized *bool  `json:"normalized"`
		Special    bool   `json:"special"`
	}
	if err := strictjson.Unmarshal(b, &object); err != nil {
		return err
	}
	n.added = added{Content: object.Content, SingleWord: object.SingleWord, LeftStrip: object.LeftStrip, RightStrip: object.RightStrip,
		Normalized: isTrue(object.Normalized, !object.Special), Special: object.Special}
	return nil
}

// bracketed are the classes that put their own ends around a text, whatever tokenizer.json
// says. Of others, versions of transformers differ.
var bracketed = []string{
	"LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast", "GemmaTokenizer", "GemmaTokenizerFast",
	"CohereTokenizer", "CohereTokenizerFast",
}

// ParseFolder reads the contents of a folder's files by name.
func ParseFolder(files map[string][]byte) (*Tokenizer, error) {
	c, err := readConfig(files)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return Parse(files[File])
	}
	if c.SplitSpecial {
		return nil, fmt.Errorf("%s: split_special_tokens is not supported", ConfigFile)
	}
	f, err := parse(files[File])
	if err != nil {
		return nil, err
	}
	if p := f.PreTokenizer; p != nil && p.Type == "ByteLevel" {
		prefix := isTrue(c.AddPrefixSpace, false)
		p.AddPrefixSpace = &prefix
	}
	before := len(f.Added)
	t, err := compile(f, c.more(f))
	if err == nil {
		err = t.applyEnds(c)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if t.name(files[File]); len(t.added.ids) > before {
		t.name(slices.Concat(files[File], files[ConfigFile], files[SpecialsFile], files[AddedFile]))
	}
	return t, nil
}

// readConfig is the folder's settings, nil for none.
func readConfig(files map[string][]byte) (*config, error) {
	if files[ConfigFile] == nil && files[SpecialsFile] == nil && files[AddedFile] == nil {
		return nil, nil
	}
	for _, name := range []string{ConfigFile, SpecialsFile, AddedFile} {
		if n := len(files[name]); n > maxConfig {
			return nil, fmt.Errorf("%s has %d bytes: at most %d are supported", name, n, maxConfig)
		}
	}
	c := new(config)
	if text := files[ConfigFile]; text != nil {
		if err := strictjson.Unmarshal(text, c); err != nil {
			return nil, fmt.Errorf("%s: %w", ConfigFile, err)
		}
	}
	if c.Decoder != nil {
		return c, nil // then the older files are not looked at
	}
	if text := files[SpecialsFile]; text != nil {
		var older specialNames
		if err := strictjson.Unmarshal(text, &older); err != nil {
			return nil, fmt.Errorf("%s: %w", SpecialsFile, err)
		}
		c.replace(&older)
	}
	if text := files[AddedFile]; text != nil {
		var ids map[string]int
		if err := strictjson.Unmarshal(text, &ids); err != nil {
			return nil, fmt.Errorf("%s: %w", AddedFile, err)
		}
		c.Decoder = make(map[string]namedToken)
		names := contents(c.list())
		for content, id := range ids {
			special := names[content]
			c.Decoder[strconv.Itoa(id)] = namedToken{added{Content: content, Special: special, Normalized: !special}}
		}
	}
	return c, nil
}

// replace takes over what an older file says; its tokens are special.
func (s *specialNames) replace(older *specialNames) {
	for _, p := range [][2]**namedToken{
		{&s.BOS, &older.BOS}, {&s.EOS, &older.EOS}, {&s.Unknown, &older.Unknown}, {&s.Separator, &older.Separator},
		{&s.Pad, &older.Pad}, {&s.Class, &older.Class}, {&s.Mask, &older.Mask},
	} {
		if *p[1] != nil {
			*p[0] = *p[1]
			(*p[0]).Special = true
		}
	}
	known := contents(s.Additional)
	for _, n := range older.Additional {
		n.Special = true
		if !known[n.Content] {
			known[n.Content] = true
			s.Additional = append(s.Additional, n)
		}
	}
}

// contents is the texts of tokens.
func contents(tokens []namedToken) map[string]bool {
	set := make(map[string]bool, len(tokens))
	for _, n := range tokens {
		set[n.Content] = true
	}
	return set
}

// more is the tokens to add behind those of tokenizer.json: the decoder's by id, then
// special ones that no file has yet.
func (c *config) more(f *file) []added {
	names := c.list()
	isName := contents(names)
	known := make(map[string]bool)
	for _, a := range f.Added {
		known[a.Content] = true
	}
	var tokens []added
	for _, key := range slices.SortedFunc(maps.Keys(c.Decoder), func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return cmp.Compare(x, y)
	}) {
		a := c.Decoder[key].added
		a.Special = a.Special || isName[a.Content]
		known[a.Content] = true
		tokens = append(tokens, a)
	}
	for _, n := range names {
		if !known[n.Content] {
			known[n.Content] = true
			a := n.added
			a.Special = true
			tokens = append(tokens, a)
		}
	}
	return tokens
}

// applyEnds sets what stands around a text.
func (t *Tokenizer) applyEnds(c *config) error {
	for key, n := range map[string]*namedToken{"bos_token": c.BOS, "eos_token": c.EOS} {
		if n == nil {
			continue
		}
		if id, ok := t.ID(n.Content); ok {
			t.ends[key] = id
		}
	}
	bos, hasBOS := t.ends["bos_token"]
	eos, hasEOS := t.ends["eos_token"]
	var prefix, suffix []int32
	own := slices.Contains(bracketed, c.Class)
	if isTrue(c.AddBOS, own) {
		if !hasBOS {
			return fmt.Errorf("%s: add_bos_token without a bos_token", ConfigFile)
		}
		prefix = []int32{bos}
	}
	if isTrue(c.AddEOS, false) {
		if !hasEOS {
			return fmt.Errorf("%s: add_eos_token without an eos_token", ConfigFile)
		}
		suffix = []int32{eos}
	}
	if own {
		t.prefix, t.suffix = prefix, suffix
		return nil
	}
	for _, end := range []struct {
		key       string
		says      *bool
		has, want []int32
	}{{"add_bos_token", c.AddBOS, t.prefix, prefix}, {"add_eos_token", c.AddEOS, t.suffix, suffix}} {
		if end.says != nil && !slices.Equal(end.has, end.want) {
			return fmt.Errorf("%s: %s is %v, but the post-processor of %s says otherwise, and versions of transformers differ for class %q: make them agree",
				ConfigFile, end.key, *end.says, File, c.Class)
		}
	}
	return nil
}

// End is the id of the token that tokenizer_config.json names "bos_token" or "eos_token".
func (t *Tokenizer) End(key string) (id int32, ok bool) {
	id, ok = t.ends[key]
	return id, ok
}
