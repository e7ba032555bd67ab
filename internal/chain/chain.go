// Package chain is the port to the blockchain: what a neuron needs to know of it
// (blocks and their time, randomness, registered neurons, their commitments) and what
// it may ask of it (register, commit, set weights). Package chain/ledger holds the rules
// of our own chain as a pure state machine, chain/cometbft drives them with CometBFT,
// chain/manual by hand, and chain/chaintest is the conformance suite of the port.
package chain

import (
	"context"
	"errors"
	"time"

	"templar/protocol"
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
// stake, the lowest uid on a tie. ok is false when no neuron has a permit.
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

// Registration asks for a slot.
type Registration struct {
	Hotkey  protocol.Hotkey // of the new neuron; zero: the signer's
	Coldkey protocol.Hotkey // of the owner, where the chain lets the signer name one; may be zero
}

// Weights is what a validator sets at once.
type Weights struct {
	Entries    []Weight // each uid once, in any order; the chain scales the values
	VersionKey uint64   // version of the validator's rules; a chain refuses old ones
}

// Status is what became of a call.
type Status uint8

const (
	// StatusFailed: included or refused without effect; Receipt.Reason says why.
	StatusFailed Status = iota
	// StatusIncluded: in effect since Receipt.EffectiveAt, which is not ahead.
	StatusIncluded
	// StatusPending: included, and in effect from Receipt.EffectiveAt on unless the
	// chain drops the call before. Weigher.Settle reports it.
	StatusPending
)

// Receipt is the outcome of a call. An error beside it means that the outcome is not
// known: the caller reads the chain before it makes the call again.
type Receipt struct {
	Status      Status `json:"status"`
	Block       uint64 `json:"block"`        // that included the call; 0 when none did
	EffectiveAt uint64 `json:"effective_at"` // block from which the call has its effect
	Reason      string `json:"reason,omitempty"`
}

// Chain is one subnet of one chain. It is safe for concurrent use. All methods obey
// their context. What only some chains have, such as votes or stake, is no part of it:
// it belongs to the chain's own package.
type Chain interface {
	Heads
	Beacon
	Neurons
	Registrar
	Committer
	Weigher
}

// Heads are the blocks. No block that one of these returns is replaced later.
type Heads interface {
	// Head returns the newest block.
	Head(ctx context.Context) (Block, error)
	// Block returns a past block, or an error that wraps ErrFuture. Block 0 is the
	// genesis: its hash is the parent of block 1, and nothing is in it.
	Block(ctx context.Context, number uint64) (Block, error)
	// Wait returns block number as soon as it exists. Waiting for n, n+1, ... is the
	// stream of heads: without gaps or repeats, over reconnections.
	Wait(ctx context.Context, number uint64) (Block, error)
}

// Beacon is the chain's source of public randomness.
type Beacon interface {
	// Randomness returns 32 bytes that are unpredictable before the block exists, that
	// are the same for every reader, and that can be read again later. It waits for them
	// as Wait does. A chain without a better source returns the hash of the block, which
	// the block's maker can influence by discarding blocks.
	Randomness(ctx context.Context, block uint64) (protocol.Hash, error)
}

// Neurons is the registered neurons and their commitments.
type Neurons interface {
	// Metagraph returns the newest state of the neurons that the implementation can
	// vouch for: with proofs, that is up to one block behind the head.
	Metagraph(ctx context.Context) (Metagraph, error)
	// Commitments returns the newest commitment of each neuron that has one, ascending
	// by uid.
	Commitments(ctx context.Context) ([]Commitment, error)
}

// Registrar, Committer and Weigher make calls: each signs one, sends it, and waits
// until it is included or refused. Calls of one signer, made at once, are included one
// after the other.
type Registrar interface {
	// Register asks for a slot. The chain says which key signs: the hotkey itself, the
	// coldkey that owns it and pays, or an authority.
	Register(ctx context.Context, s protocol.Signer, r Registration) (Receipt, error)
}

// Committer stores a neuron's commitment.
type Committer interface {
	// Commit replaces the commitment of the hotkey that signs.
	Commit(ctx context.Context, s protocol.Signer, data []byte) (Receipt, error)
}

// Weigher sets a validator's weights.
type Weigher interface {
	// SetWeights replaces the weights of the hotkey that signs. On a chain that keeps
	// weights secret for a while (commit-reveal) the receipt is pending.
	SetWeights(ctx context.Context, s protocol.Signer, w Weights) (Receipt, error)
	// Settle returns what became of weights whose receipt is pending: StatusIncluded, or
	// StatusFailed when the reveal did not come or later weights took its place. It waits until that is decided, at the
	// earliest at r.EffectiveAt, and makes the reveal where that is the signer's duty; a
	// caller that does not want to wait calls it from that block on. A receipt that is
	// not pending is returned as it is. It may be called again, and by another process
	// than the one that made the call.
	Settle(ctx context.Context, s protocol.Signer, r Receipt) (Receipt, error)
}
