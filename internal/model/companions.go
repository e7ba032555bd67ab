package model

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"templar/internal/tokenizer"
)

// TokenizerFile is the file of a folder that makes text of ids.
const TokenizerFile = tokenizer.File

// Companions are the files of a folder that are no weights, by name: the tokenizer's, the
// generation defaults, and config.json, of which only the ids of Ends are taken over.
type Companions map[string][]byte

// ReadCompanions reads those that a folder has.
func ReadCompanions(dir string) (Companions, error) {
	c := make(Companions)
	for _, name := range []string{
		TokenizerFile, tokenizer.ConfigFile, tokenizer.SpecialsFile, tokenizer.AddedFile, "tokenizer.model",
		"chat_template.jinja", generationFile, configFile,
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
		TokenizerFile:        tokenizer.BytesFile(),
		tokenizer.ConfigFile: []byte("{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n  \"clean_up_tokenization_spaces\": false\n}\n"),
	}
}

// Tokenizer is the folder's, nil for none. It may have more ids than the model: a text
// that needs one of these cannot be computed with.
func (c Companions) Tokenizer() (*tokenizer.Tokenizer, error) {
	if c[TokenizerFile] == nil {
		return nil, nil
	}
	return tokenizer.ParseFolder(c)
}

// Ends returns the ids that config.json names, then generation_config.json, then the
// tokenizer. A config.json that does not mention them means 1 and 2, as transformers'
// LlamaConfig does.
func (c Companions) Ends() (e Ends, err error) {
	if c[configFile] != nil {
		if e, err = decodeEnds(c[configFile]); err != nil {
			return e, fmt.Errorf("%s: %w", configFile, err)
		}
	}
	g, err := c.generationEnds()
	if err != nil {
		return e, err
	}
	named := e
	t, err := c.Tokenizer()
	if err != nil {
		return e, err
	}
	e = e.or(g)
	if t != nil {
		e = e.or(tokenizerEnds(t))
	}
	if c[configFile] != nil {
		if len(e.BOS.List) == 0 && !named.BOS.set {
			e.BOS = oneID(1)
		}
		if len(e.EOS.List) == 0 && !named.EOS.set {
			e.EOS = oneID(2)
		}
	}
	return e, nil
}

func tokenizerEnds(t *tokenizer.Tokenizer) (e Ends) {
	for key, to := range map[string]*IDs{"bos_token": &e.BOS, "eos_token": &e.EOS} {
		if id, ok := t.End(key); ok {
			*to = oneID(id)
		}
	}
	return e
}

func (c Companions) generationEnds() (e Ends, err error) {
	if c[generationFile] == nil {
		return e, nil
	}
	if e, err = decodeEnds(c[generationFile]); err != nil {
		return e, fmt.Errorf("%s: %w", generationFile, err)
	}
	return e, nil
}

// StopIDs are the ids that end a text: those of generation_config.json, else those of
// Ends.
func (c Companions) StopIDs() ([]int32, error) {
	g, err := c.generationEnds()
	if err != nil || len(g.EOS.List) > 0 {
		return g.EOS.List, err
	}
	e, err := c.Ends()
	return e.EOS.List, err
}
