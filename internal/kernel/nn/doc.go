// Package nn computes what a LLaMA does to rows of float32 values beside multiplying
// matrices: softmax's exponentials, RMSNorm, the rotary embedding and SwiGLU, forward and
// backward.
//
// The Go twin of each function is its specification. Assembly for AVX2 does whole vectors of
// eight and fuses multiply and add, so that last places may differ between the two; the build
// tag noasm keeps to the twins. All slices of a call have the first one's length, or more.
package nn
