package ledger

import (
	"templar/internal/chain"
	"templar/protocol"
)

// Call is the body of a transaction: one of the calls below. Register, Commit and
// SetWeights are those of the port (package chain); the others administer this chain.
type Call interface{ call() }

// Register asks for a slot. An authority may register another hotkey than its own.
type Register struct {
	Hotkey  protocol.Hotkey // of the new neuron; zero: the signer's
	Coldkey protocol.Hotkey // of the owner; zero: unknown
	Work    uint64          // nonce of the proof of work (work.go); 0 where none is asked for
}

// Commit replaces the signer's commitment.
type Commit struct{ Data []byte }

// SetWeights replaces the signer's weights.
type SetWeights chain.Weights

// Stake adds to the stake of a hotkey. An authority signs it.
type Stake struct {
	Hotkey protocol.Hotkey
	Amount uint64
}

// Unstake takes from the stake of a hotkey. The hotkey or an authority signs it.
type Unstake struct {
	Hotkey protocol.Hotkey
	Amount uint64
}

// Vote asks that the chain's parameters become these (Params.Encode). An authority
// signs it; it replaces the authority's vote before.
type Vote struct{ Params []byte }

func (Register) call()   {}
func (Commit) call()     {}
func (SetWeights) call() {}
func (Stake) call()      {}
func (Unstake) call()    {}
func (Vote) call()       {}
