// Package bittensor is a chain.Chain on Bittensor: a client of Subtensor, the Substrate
// chain on which subnets live, over JSON-RPC on WebSockets.
//
// All that it returns comes from final blocks, which cannot be replaced; the final head
// is two or three blocks behind the best one. Each header is hashed and must link to the one
// before. State is not proven: the endpoint is trusted for it.
//
// Package runtime encodes and decodes the chain's binary forms by its metadata, package rules
// holds what metadata does not contain, package timelock encrypts weights, package rpc is the
// connection, and package fakenode is a node for tests.
package bittensor
