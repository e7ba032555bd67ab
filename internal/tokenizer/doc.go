// Package tokenizer reads Hugging Face's tokenizer.json and encodes text to the same
// ids as Hugging Face's own implementation: byte-pair encoding over bytes (GPT-2,
// Llama 3, Qwen) or over characters with byte fallback (Llama 2, Mistral). What a file
// asks for and this package does not do is refused by name when the file is read.
//
// Text passes four stages: added tokens are cut out, the rest is normalised, split into
// words, and each word is merged pair by pair in the order that training learned.
//
// A file is hostile: sizes and ids are bounded before memory is taken for them.
package tokenizer
