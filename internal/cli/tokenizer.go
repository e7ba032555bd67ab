package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"templar/internal/data"
	"templar/internal/model"
	"templar/internal/tokenizer"
)

// speller is a tokenizer as the commands use it.
type speller interface {
	data.Tokenizer
	// Piece is the text of one token.
	Piece(id int32) []byte
	// Around is what the model expects before and after a text.
	Around() (before, after []int32)
}

// byteSpeller is the tokenizer of models whose folder has none.
type byteSpeller struct{ data.Bytes }

func (b byteSpeller) Piece(id int32) []byte         { return b.Decode([]int32{id}) }
func (byteSpeller) Around() (before, after []int32) { return nil, nil }

// openTokenizer reads a tokenizer.json or the one of a folder; "bytes" is the bytes'.
func openTokenizer(name string) (speller, error) {
	if name == "bytes" {
		return byteSpeller{}, nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return tokenizer.LoadFolder(name)
	}
	return tokenizer.Load(name)
}

// tokenizerOf is the tokenizer of a model's folder.
func tokenizerOf(dir string, vocabulary int) (speller, error) {
	t, err := openTokenizer(dir)
	if errors.Is(err, fs.ErrNotExist) && vocabulary == (data.Bytes{}).VocabSize() {
		return byteSpeller{}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("model %s has a vocabulary of %d and no %s: copy the tokenizer's file there", dir, vocabulary, model.TokenizerFile)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// encodeFor encodes a text for a model of a vocabulary: a tokenizer may have ids that the
// model has no embedding for.
func encodeFor(t speller, before []int32, text []byte, vocabulary int) ([]int32, error) {
	ids := t.Encode(slices.Clone(before), text)
	for _, id := range ids {
		if int(id) >= vocabulary {
			return nil, fmt.Errorf("the text has the token %q, id %d: the model has embeddings for %d only", t.Piece(id), id, vocabulary)
		}
	}
	return ids, nil
}

// loadModel reads a folder and says what one is when there is none.
func loadModel(dir string) (loaded, error) {
	m, params, err := model.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return loaded{}, fmt.Errorf("%w: name a folder with config.json and model.safetensors", err)
	}
	return loaded{m, params}, err
}
