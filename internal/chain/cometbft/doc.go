// Package cometbft runs the ledger on CometBFT 0.38, in process, as an ABCI
// application, and is its client.
//
// Init writes a node's home folder once, New and Node.Run make it a node with a
// JSON-RPC server, and Dial connects a Client, which is a chain.Chain. A chain has
// authorities, which make blocks with the key in their home folder, and hotkeys, which
// sign transactions; the two have nothing to do with each other. A validator of the
// subnet is a hotkey.
//
// Block 0 is the genesis: CometBFT has none, so the client makes it up from the
// ledger's genesis, whose hash is the parent of block 1. The time in a header is that
// of the votes on the block before: it lags the clock by about a block, and the first
// block after a standstill carries the time at which the standstill began.
//
// The client believes its RPC server. Proofs and the light client come to stand before
// it without a change to the formats: the state root in each header is the Merkle root
// of the records, in the tree that CometBFT's proofs use.
package cometbft
