// Package bittensor is a chain.Chain on Bittensor: a client of Subtensor, the Substrate
// chain on which subnets live, over JSON-RPC on WebSockets.
//
// All that it returns comes from final blocks, which cannot be replaced; the final head
// is two or three blocks behind the best one. Headers are hashed and held against the
// one before. State, however, is the endpoint's word: there are no proofs here.
//
// Package runtime speaks the chain's binary forms by its metadata, package rules holds
// what metadata does not say, package timelock encrypts weights, package rpc is the
// connection, and package fakenode is a node for tests.
package bittensor
