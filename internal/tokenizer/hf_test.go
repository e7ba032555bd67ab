package tokenizer

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"templar/internal/tokenizer/ucd"
)

// The ids of generated files are the original's, or the file is refused by name.
func TestGeneratedFilesAsTheOriginal(t *testing.T) {
	f, err := os.Open("../../testkit/hf/testdata/tokenizers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var bases []map[string]any
	compared, refused := 0, 0
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var row struct {
			Model map[string]any `json:"model"`
			Base  int            `json:"base"`
			Flags map[string]any `json:"flags"`
			File  map[string]any `json:"file"`
			Texts []string       `json:"texts"`
			IDs   [][]int32      `json:"ids"`
		}
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Model != nil {
			bases = append(bases, row.Model)
			continue
		}
		model := maps.Clone(bases[row.Base])
		maps.Copy(model, row.Flags)
		row.File["model"] = model
		text, err := json.Marshal(row.File)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := Parse(text)
		if err != nil {
			if refused++; !strings.Contains(err.Error(), "not supported") {
				t.Error(err)
			}
			continue
		}
		compared++
		for i, text := range row.Texts {
			if got := tok.Encode(nil, []byte(text)); !slices.Equal(got, row.IDs[i]) && (len(got) > 0 || len(row.IDs[i]) > 0) {
				delete(row.File, "model")
				t.Errorf("%v\n%+q:\n got %v\nwant %v", row.File, text, got, row.IDs[i])
			}
		}
	}
	if compared < 30 {
		t.Errorf("%d files compared, %d refused", compared, refused)
	}
}

// Tables are of the versions that the original's parts carry, not Go's.
func TestCharactersOfTheOriginalsUnicode(t *testing.T) {
	norm := func(kind string) func([]byte) []byte {
		f, err := normalizers(&stage{Type: kind})
		if err != nil {
			t.Fatal(err)
		}
		return f[0]
	}
	for _, c := range []struct{ stage, text, want string }{
		{"Lowercase", "İIΑΣ\u1c89\ua7cb", "i\u0307iασ\u1c8a\u0264"},
		{"NFKC", "\u32ff\u32fe\U0001ccd6", "\u32ff\u30f2\U0001ccd6"}, // the era's name came later than the tables
		{"NFD", "é\U00011938", "e\u0301\U00011938"},
		{"StripAccents", "e\u0301\u1cf2", "e"},
	} {
		if got := string(norm(c.stage)([]byte(c.text))); got != c.want {
			t.Errorf("%s of %+q is %+q, want %+q", c.stage, c.text, got, c.want)
		}
	}
	for name, want := range map[string]map[rune]bool{
		"l": {0x1c89: true, 'a': true, '1': false}, `\w`: {0xbd: true, '_': true, '-': false}, "[:word:]": {0xbd: false},
		"rust:numeric": {0x10d40: true, 0x661: true, 'a': false}, "rust:punctuation": {'$': true, 0x2e52: false}, `\s`: {0x85: true, 0xfeff: false},
	} {
		for r, in := range want {
			if got := ucd.MustLookup(name).Contains(r); got != in {
				t.Errorf("%s has %U: %v", name, r, got)
			}
		}
	}
}

// What transformers' other files say of ids counts.
func TestFolder(t *testing.T) {
	file := minimal(`, "added_tokens": [{"content": "<s>", "special": true}, {"content": "</s>", "special": true}],
		"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [3]}}}`)
	names := `"bos_token": "<s>", "eos_token": {"content": "</s>"}`
	for _, c := range []struct {
		config, specials, added string
		text                    string
		before, ids, after      []int32
		refusal                 string
	}{
		{config: `{"tokenizer_class": "LlamaTokenizer", ` + names + `, "add_bos_token": false, "add_eos_token": true}`, text: "ab", ids: []int32{2}, after: []int32{4}},
		{config: `{"tokenizer_class": "LlamaTokenizerFast", ` + names + `}`, text: "ab", before: []int32{3}, ids: []int32{2}},
		{config: `{"tokenizer_class": "PreTrainedTokenizerFast", ` + names + `, "add_bos_token": true}`, text: "ab", before: []int32{3}, ids: []int32{2}},
		{config: `{"tokenizer_class": "PreTrainedTokenizerFast", ` + names + `, "add_eos_token": true}`, refusal: "add_eos_token is true"},
		{config: `{"added_tokens_decoder": {"7": {"content": "ba", "special": false}, "6": {"content": "bb"}}}`, text: "abbba", before: []int32{3}, ids: []int32{0, 5, 6}},
		{config: `{"pad_token": "bb"}`, text: "abb", before: []int32{3}, ids: []int32{0, 5}},
		{specials: `{"pad_token": "bb"}`, text: "abb", before: []int32{3}, ids: []int32{0, 5}},
		{added: `{"bb": 9}`, text: "abb", before: []int32{3}, ids: []int32{0, 5}},
		{config: `{"tokenizer_class": "LlamaTokenizer"}`, refusal: "add_bos_token without a bos_token"},
		{config: `{"split_special_tokens": true}`, refusal: "split_special_tokens"},
		{config: `{"eos_token": 7}`, refusal: ConfigFile},
	} {
		files := map[string][]byte{File: []byte(file)}
		for name, text := range map[string]string{ConfigFile: c.config, SpecialsFile: c.specials, AddedFile: c.added} {
			if text != "" {
				files[name] = []byte(text)
			}
		}
		tok, err := ParseFolder(files)
		if c.refusal != "" || err != nil {
			if err == nil || c.refusal == "" || !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("%s: error %v, want %q", c.config, err, c.refusal)
			}
			continue
		}
		before, after := tok.Around()
		if ids := tok.Encode(nil, []byte(c.text)); !slices.Equal(ids, c.ids) || !slices.Equal(before, c.before) || !slices.Equal(after, c.after) {
			t.Errorf("%s%s%s: %v %v %v, want %v %v %v", c.config, c.specials, c.added, before, ids, after, c.before, c.ids, c.after)
		}
	}
}

// Ids beside added tokens are not looked at, and of two equal merges the last counts.
func TestIDsAreNumberedAsTheOriginalDoes(t *testing.T) {
	for file, want := range map[string][]int32{
		minimal(`, "added_tokens": [{"id": 9, "content": "<y>"}, {"id": 8, "content": "<x>"}]`): {0, 4, 1, 3},
		minimal(`, "added_tokens": [{"id": 11, "content": "a"}, {"id": 3, "content": "<x>"}]`):  {0, 3, 1},
	} {
		tok, err := Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Encode(nil, []byte("a<x>b<y>")); !slices.Equal(got[:len(want)], want) {
			t.Errorf("%s gives %v, want %v", file, got, want)
		}
	}
	twice := `{"model": {"vocab": {"a": 0, "b": 1, "ab": 2, "ba": 3}, "merges": ["a b", "b a", "a b"]}}`
	tok, err := Parse([]byte(twice))
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Encode(nil, []byte("aba")); !slices.Equal(got, []int32{0, 3}) {
		t.Errorf("merges %v", got)
	}
}
