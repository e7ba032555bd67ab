package tokenizer

import "encoding/json"

// BytesFile is a tokenizer.json whose ids are the bytes of the text: for models with a
// byte vocabulary, so that Hugging Face's tools can use them too.
func BytesFile() []byte {
	vocab := make(map[string]int)
	for b := range 256 {
		vocab[string(byteRune(byte(b)))] = b
	}
	level := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
	text, _ := json.MarshalIndent(map[string]any{ // such a value always encodes
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": []any{}, "normalizer": nil,
		"pre_tokenizer": level, "post_processor": nil, "decoder": level,
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": []any{},
		},
	}, "", " ")
	return append(text, '\n')
}
