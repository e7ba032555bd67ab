// Package state describes the parameters of a model as every node holds them: one flat vector of
// float32 in the order of a tensor table, without gaps. It gives a state its hash and finds where
// two states differ.
//
// Nodes of a run hold the same state after each window, to the bit, and exchange its hash. The
// hash is the root of a tree over tiles of 65536 values, so that tiles are hashed in parallel and
// a difference is located without the other node's parameters. The same parameters give the same
// hash on every architecture, and for every number of workers. docs/spec/state.md is the
// specification.
package state
