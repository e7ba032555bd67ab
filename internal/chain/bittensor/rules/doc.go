// Package rules holds what a client must know of Subtensor beyond its metadata, as pure
// functions: how commitments are laid out, when commit-reveal weights are revealed, which
// weights the chain takes, and what the words of a node and of a runtime mean for a call.
package rules
