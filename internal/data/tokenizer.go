package data

// Tokenizer turns text into token ids and back. Implementations are safe for
// concurrent use.
type Tokenizer interface {
	// Name tells tokenizers apart in manifests.
	Name() string
	// VocabSize is the number of ids, all of which lie below it.
	VocabSize() int
	// Encode appends the ids of a document to dst.
	Encode(dst []int32, text []byte) []int32
	// Decode returns the text of tokens. Ids outside the vocabulary give no text.
	Decode(tokens []int32) []byte
}

// Bytes is the tokenizer whose ids are the bytes themselves.
type Bytes struct{}

var _ Tokenizer = Bytes{}

// Name is "bytes".
func (Bytes) Name() string { return "bytes" }

// VocabSize is 256.
func (Bytes) VocabSize() int { return 256 }

// Encode appends one id a byte.
func (Bytes) Encode(dst []int32, text []byte) []int32 {
	for _, b := range text {
		dst = append(dst, int32(b))
	}
	return dst
}

// Decode returns one byte an id.
func (Bytes) Decode(tokens []int32) []byte {
	out := make([]byte, 0, len(tokens))
	for _, t := range tokens {
		if t >= 0 && t < 256 {
			out = append(out, byte(t))
		}
	}
	return out
}
