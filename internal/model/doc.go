// Package model makes, stores and samples models: theta_0, folders that Hugging Face
// transformers loads as LlamaForCausalLM, checkpoints as one safetensors object, and
// generation.
package model
