package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"templar/internal/tokenizer"
)

// TokenizerFile is the file of a folder that makes text of ids.
const TokenizerFile = "tokenizer.json"

const tokenizerConfigFile = "tokenizer_config.json"

// Companions are the files of a folder that are no weights, by name: the tokenizer's and
// the generation defaults.
type Companions map[string][]byte

// ReadCompanions reads those that a folder has.
func ReadCompanions(dir string) (Companions, error) {
	c := make(Companions)
	for _, name := range []string{
		TokenizerFile, tokenizerConfigFile, "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
		"chat_template.jinja", generationFile,
	} {
		b, err := readBounded(filepath.Join(dir, name), tokenizer.MaxFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", dir, err)
		}
		c[name] = b
	}
	return c, nil
}

// BytesCompanions are the files of the tokenizer whose ids are the bytes themselves.
func BytesCompanions() Companions {
	return Companions{
		TokenizerFile:       tokenizer.BytesFile(),
		tokenizerConfigFile: []byte("{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n  \"clean_up_tokenization_spaces\": false\n}\n"),
	}
}

// specials are the ids that begin and end a text, nil for none.
type specials struct{ bos, eos *int32 }

// specials reads the tokenizer and checks that the model has all of its ids.
func (c Companions) specials(vocabulary int) (s specials, err error) {
	if c[TokenizerFile] == nil {
		return s, nil
	}
	t, err := tokenizer.Parse(c[TokenizerFile])
	if err != nil {
		return s, err
	}
	if t.VocabSize() > vocabulary {
		return s, fmt.Errorf("the tokenizer has %d ids, the model %d", t.VocabSize(), vocabulary)
	}
	if s.bos, err = c.special(t, "bos_token"); err != nil {
		return s, err
	}
	s.eos, err = c.special(t, "eos_token")
	return s, err
}

// special is the id of a token that tokenizer_config.json names, as text or in an object.
func (c Companions) special(t *tokenizer.Tokenizer, key string) (*int32, error) {
	if c[tokenizerConfigFile] == nil {
		return nil, nil
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(c[tokenizerConfigFile], &config); err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerConfigFile, err)
	}
	var name string
	var object struct{ Content string }
	if json.Unmarshal(config[key], &name) != nil && json.Unmarshal(config[key], &object) == nil {
		name = object.Content
	}
	if id, ok := t.ID(name); ok && name != "" {
		return &id, nil
	}
	return nil, nil
}

// EndOfText is the id that ends a text, false for none.
func (c Companions) EndOfText(vocabulary int) (int32, bool, error) {
	s, err := c.specials(vocabulary)
	if err != nil || s.eos == nil {
		return 0, false, err
	}
	return *s.eos, true, nil
}
