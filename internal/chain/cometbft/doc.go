// Package cometbft runs the ledger on CometBFT 0.38, in process, as an ABCI
// application, and is its client.
//
// Init writes a node's home folder once, New and Node.Run make it a node with a
// JSON-RPC server, and Dial connects a Client, which is a chain.Chain. A chain has
// authorities, which make blocks with the key in their home folder, and hotkeys, which
// sign transactions; the two have nothing to do with each other. A validator of the
// subnet is a hotkey.
//
// Several authorities form a network: InitNetwork makes all their folders, or each makes
// Keys, one calls Init with them, and the others Join. Any number of further nodes may
// Join and follow. With four authorities, one may be away; with more than a third away
// no block is made until they return.
//
// Block 0 is the genesis: CometBFT has none, so the client makes it up from the
// ledger's genesis, whose hash is the parent of block 1. A block's time is its
// proposer's clock (stamp.go).
//
// A client believes its RPC server, unless Opts.Verify names the genesis (verify.go).
// docs/spec/chain.md has the formats, and what happens at each fault.
package cometbft
