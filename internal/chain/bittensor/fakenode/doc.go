// Package fakenode is a Subtensor node for tests: real metadata, a ledger with the rules
// of the calls that Templar makes, a pool, blocks that tests make, and a JSON-RPC server.
//
// It proves something because it can say no. It verifies each signature over the very
// payload, and so spec version, genesis, era and birth block; nonces must be the
// account's; failures stand in System.Events, encoded by the metadata. Headers hash to
// what they are called by. Best blocks can be replaced, final ones cannot. The wire can
// be disturbed in the ways that real endpoints are: connections cut at any frame, silence,
// answers out of order, notifications before the reply that they belong to.
//
// It decodes with the client's own package runtime. That package is held against other
// implementations' bytes by testkit/vectors first.
package fakenode
