package tokenizer

import (
	"fmt"
	"strings"
)

// template reads what the post-processor puts around a text.
func (t *Tokenizer) template(s *stage) error {
	templates := 0
	for _, part := range s.parts() {
		if part.Type == "ByteLevel" { // only offsets, which we do not have
			continue
		}
		if templates++; part.Type != "TemplateProcessing" || templates > 1 {
			return fmt.Errorf("post-processor %q is not supported (%d in a row)", part.Type, templates)
		}
		if err := t.around(&part); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tokenizer) around(s *stage) error {
	to, texts := &t.prefix, 0
	for _, item := range s.Single {
		if item.SpecialToken == nil {
			to, texts = &t.suffix, texts+1
			continue
		}
		ids := s.Special[item.SpecialToken.ID].IDs
		if len(ids) > maxAround {
			return fmt.Errorf("post-processor: token %q is %d ids", item.SpecialToken.ID, len(ids))
		}
		for _, id := range ids {
			if id < 0 || int(id) >= t.size {
				return fmt.Errorf("post-processor: token %q has id %d", item.SpecialToken.ID, id)
			}
			*to = append(*to, id)
		}
		if len(*to) > maxAround {
			return fmt.Errorf("post-processor: a template of more than %d tokens is not supported", maxAround)
		}
	}
	if texts != 1 {
		return fmt.Errorf("post-processor: a template with the text %d times is not supported", texts)
	}
	return nil
}

// decoder tabulates the text of every id: the decoders of these families work on
// single tokens, but for the space at the beginning.
func (t *Tokenizer) decoder(f *file, byteLevel bool) error {
	marks := [][2]string{} // replaced in tokens
	for _, part := range f.Decoder.parts() {
		switch part.Type {
		case "ByteLevel", "ByteFallback", "Fuse":
		case "Replace":
			if part.Pattern == nil || part.Pattern.String == nil || *part.Pattern.String == "" {
				return fmt.Errorf("decoder Replace without a String is not supported")
			}
			marks = append(marks, [2]string{*part.Pattern.String, part.Content})
		case "Metaspace":
			marks = append(marks, [2]string{space, " "})
			t.strip = t.strip || part.PrependScheme != "never"
		case "Strip":
			t.strip = true
		default:
			return fmt.Errorf("decoder %q is not supported", part.Type)
		}
	}
	t.pieces = make([][]byte, t.size)
	total := 0
	for word, id := range t.vocab {
		t.pieces[id] = pieceOf(word, marks, byteLevel, f.Model.ByteFallback)
		if total += len(t.pieces[id]); total > MaxFile {
			return fmt.Errorf("the texts of all tokens are more than %d bytes", MaxFile)
		}
	}
	for id, a := range t.added.byID {
		t.pieces[id] = []byte(a.Content)
	}
	return nil
}

func pieceOf(word string, marks [][2]string, byteLevel, byteFallback bool) []byte {
	if byteLevel {
		if raw, ok := levelBytes(word); ok {
			return raw
		}
	}
	if b, ok := fallbackByte(word); ok && byteFallback {
		return []byte{b}
	}
	for _, m := range marks {
		word = strings.ReplaceAll(word, m[0], m[1])
	}
	return []byte(word)
}

// Decode returns the text of a document's tokens. Ids outside the vocabulary give no
// text; a token may be a part of a character.
func (t *Tokenizer) Decode(tokens []int32) []byte {
	var out []byte
	for _, id := range tokens {
		out = append(out, t.Piece(id)...)
	}
	if t.strip && len(out) > 0 && out[0] == ' ' {
		out = out[1:]
	}
	return out
}

// Piece is the text of one token within a document. Do not change it.
func (t *Tokenizer) Piece(id int32) []byte {
	if id < 0 || int(id) >= len(t.pieces) {
		return nil
	}
	return t.pieces[id]
}
