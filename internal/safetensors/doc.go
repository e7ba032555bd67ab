// Package safetensors reads and writes Hugging Face's safetensors format: eight bytes
// of little-endian header length, a JSON header of names, types, shapes and offsets,
// then the values. A file is hostile until read: its header is bounded before it is
// held, and its tensors must tile the data exactly.
//
// Format: https://huggingface.co/docs/safetensors
package safetensors
