// Package ledger holds the rules of our own chain as a pure, deterministic state
// machine: no clock, no I/O, no goroutine. The same genesis and the same blocks give
// the same state root on every architecture. chain/cometbft drives it on a network,
// chain/manual by hand.
//
// The state is a set of key/value records (state.go). A transaction (tx.go) is a
// Call signed by an sr25519 hotkey over the chain's id and netuid, a nonce and
// an expiry block. It takes effect entirely or not at all: a refused one leaves the
// state as it was, its nonce included, and can no longer be included after its expiry.
//
// There are no coins and no fees. Stake is added by the authorities: hotkeys in the
// parameters that represent the operators of the network. More than two
// thirds of them change the parameters. Stake is lost with the slot. Against floods see
// register.go; a driver admits one pending transaction a hotkey.
//
// Tree and Prove prove parts of the state to a reader that has its root. docs/spec/chain.md
// has the formats.
//
// Every Tempo blocks an epoch runs Yuma consensus (package yuma), which sets
// incentive, dividends and validator permits.
//
// The driver's duties: blocks numbered without gaps, the same transactions in the same
// order on every node, no concurrent calls.
package ledger
