// Package cpu computes a LLaMA's loss and gradients in Go on the processor: every
// layer is a forward and a hand-derived backward pass in a file of its own, and
// docs/engine.md derives them. Matrix products come from package gemm.
//
// Work is split by rows, heads or columns so that no sum depends on how it is
// shared: the same inputs give the same bits for any number of threads.
//
// In the shapes of the comments, R is the tokens of a batch (rows * columns), T the
// columns, H the hidden size, I the intermediate size, V the vocabulary, N and K the
// attention and key-value heads, and D the width of a head. Matrices are row-major;
// weights are [out, in] as Hugging Face stores them.
package cpu
