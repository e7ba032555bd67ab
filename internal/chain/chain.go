// Package chain is the port to the blockchain: what a neuron needs to know of it
// (blocks and their time, who is registered, what they committed) and what it may
// ask of it (register, commit, set weights). Package chain/ledger holds the rules of
// our own chain as a pure state machine, chain/cometbft drives them with CometBFT,
// chain/manual by hand, and chain/chaintest is the conformance suite of the port.
package chain

import (
	"context"
	"errors"

	"templar/protocol"
	"time"
)

// ErrFuture is wrapped when a block that does not exist yet is asked for.
var ErrFuture = errors.New("block does not exist yet")

// Block is a block's header.
type Block struct {
	Number uint64        `json:"number"`
	Hash   protocol.Hash `json:"hash"`
	Parent protocol.Hash `json:"parent"`
	Time   time.Time     `json:"time"`
}

// Neuron is one registered slot.
type Neuron struct {
	UID        protocol.UID    `json:"uid"`
	Hotkey     protocol.Hotkey `json:"hotkey"`
	Coldkey    protocol.Hotkey `json:"coldkey,omitzero"` // the owner's key, where it is known
	Stake      uint64          `json:"stake"`
	Incentive  uint16          `json:"incentive"` // share of 65535
	Dividends  uint16          `json:"dividends"` // share of 65535
	Permit     bool            `json:"validator_permit"`
	LastUpdate uint64          `json:"last_update"`   // block of the last weights
	Registered uint64          `json:"registered_at"` // block
}

// Metagraph is the state of the subnet's neurons after a block, ascending by uid.
type Metagraph struct {
	Block   uint64   `json:"block"`
	Neurons []Neuron `json:"neurons"`
}

// ByHotkey finds a neuron.
func (m *Metagraph) ByHotkey(h protocol.Hotkey) (Neuron, bool) {
	for _, n := range m.Neurons {
		if n.Hotkey == h {
			return n, true
		}
	}
	return Neuron{}, false
}

// ByUID finds a neuron.
func (m *Metagraph) ByUID(uid protocol.UID) (Neuron, bool) {
	for _, n := range m.Neurons {
		if n.UID == uid {
			return n, true
		}
	}
	return Neuron{}, false
}

// Lead returns the lead validator: of those with a permit the one with the highest
// stake, the lowest uid on a tie. ok is false when nobody has a permit.
func (m *Metagraph) Lead() (lead Neuron, ok bool) {
	for _, n := range m.Neurons {
		if n.Permit && (!ok || n.Stake > lead.Stake) {
			lead, ok = n, true
		}
	}
	return lead, ok
}

// Commitment is what a neuron last committed.
type Commitment struct {
	Hotkey protocol.Hotkey
	Block  uint64
	Data   []byte
}

// Weight is one entry of a validator's weights.
type Weight struct {
	UID   protocol.UID `json:"uid"`
	Value uint16       `json:"value"`
}

// Call is a transaction's body: Register, Stake, Unstake, Commit, SetWeights or Vote.
type Call interface{ call() }

// Register asks for a slot.
type Register struct {
	Hotkey  protocol.Hotkey // zero: the signer's
	Coldkey protocol.Hotkey // of the owner; may be zero
}

// Stake adds to the stake of a hotkey. Who may is the chain's rule.
type Stake struct {
	Hotkey protocol.Hotkey
	Amount uint64
}

// Unstake takes from the stake of a hotkey. Who may is the chain's rule.
type Unstake struct {
	Hotkey protocol.Hotkey
	Amount uint64
}

// Commit replaces the signer's commitment.
type Commit struct{ Data []byte }

// SetWeights replaces the signer's weights.
type SetWeights struct {
	Weights    []Weight
	VersionKey uint64
}

// Vote asks that the chain's parameters become these, in the chain's own form. It
// replaces the signer's vote before; who has one, and how many it takes, is the
// chain's rule.
type Vote struct{ Params []byte }

func (Register) call()   {}
func (Stake) call()      {}
func (Unstake) call()    {}
func (Commit) call()     {}
func (SetWeights) call() {}
func (Vote) call()       {}

// Status is what became of a submitted call.
type Status uint8

const (
	// StatusFailed: included or refused without effect; Receipt.Reason says why.
	StatusFailed Status = iota
	// StatusIncluded: in effect since Receipt.Block.
	StatusIncluded
	// StatusPending: included, takes effect at Receipt.EffectiveAt.
	StatusPending
)

// Receipt tells what became of a call. An error beside it means that the outcome is
// not known: the caller looks at the chain before it submits again.
type Receipt struct {
	Status      Status
	Block       uint64
	EffectiveAt uint64
	Reason      string
}

// Chain is one subnet of one chain. All methods obey their context.
type Chain interface {
	// Head returns the newest block.
	Head(ctx context.Context) (Block, error)
	// Block returns a past block, or an error that wraps ErrFuture. Block 0 is the
	// genesis: its hash is the parent of block 1, and nothing is in it.
	Block(ctx context.Context, number uint64) (Block, error)
	// Wait returns block number as soon as it exists. Waiting for n, n+1, ... is the
	// stream of heads: without gaps or repeats, over reconnections.
	Wait(ctx context.Context, number uint64) (Block, error)
	// Metagraph returns the newest state of the neurons that the implementation can
	// vouch for: with proofs, that is up to one block behind the head.
	Metagraph(ctx context.Context) (Metagraph, error)
	// Commitments returns everybody's newest commitment, ascending by uid.
	Commitments(ctx context.Context) ([]Commitment, error)
	// Submit signs the call, sends it, and waits until it is included or refused.
	Submit(ctx context.Context, s protocol.Signer, c Call) (Receipt, error)
}
