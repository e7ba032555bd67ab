package ledger

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"templar/protocol"
)

// Genesis is what a chain begins with: its parameters and its first neurons.
type Genesis struct {
	ChainID string    `json:"chain_id"`
	NetUID  uint16    `json:"netuid"`
	Time    time.Time `json:"time"` // of block 0

	// Founders are registered at block 0, with uids in this order. Those with stake
	// hold a validator permit from block 0 on.
	Founders []Founder `json:"founders"`

	Params
}

// Founder is a neuron of the genesis.
type Founder struct {
	Hotkey  protocol.Hotkey `json:"hotkey"`
	Coldkey protocol.Hotkey `json:"coldkey,omitzero"`
	Stake   uint64          `json:"stake"`
}

const maxTotalStake = math.MaxInt64

// DefaultGenesis returns a genesis with DefaultParams. The caller adds the time,
// authorities and founders.
func DefaultGenesis(chainID string) Genesis {
	return Genesis{ChainID: chainID, NetUID: 1, Params: DefaultParams()}
}

// DecodeGenesis reads a Genesis from JSON. Unknown keys are errors.
func DecodeGenesis(b []byte) (g Genesis, err error) {
	if err = decodeJSON(b, &g); err != nil {
		return Genesis{}, fmt.Errorf("genesis: %w", err)
	}
	return g, g.Validate()
}

// Encode returns the canonical form, which DecodeGenesis reads.
func (g *Genesis) Encode() ([]byte, error) {
	c := *g
	c.Time = g.Time.UTC().Round(0)
	return json.Marshal(&c)
}

// Hash identifies the chain. It is the hash of block 0.
func (g *Genesis) Hash() (protocol.Hash, error) {
	b, err := g.Encode()
	if err != nil {
		return protocol.Hash{}, fmt.Errorf("genesis: %w", err)
	}
	return sha256.Sum256(append([]byte("templar genesis\x00"), b...)), nil
}

// Validate reports every fault at once.
func (g *Genesis) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("genesis: "+format, args...))
		}
	}
	fault(g.ChainID == "" || len(g.ChainID) > 50, "chain_id must have 1 to 50 characters")
	fault(g.Time.Year() < 1970 || g.Time.Year() > 2200, "time %v: years 1970 to 2200", g.Time)
	fault(len(g.Founders) > g.MaxNeurons, "%d founders are over max_neurons %d", len(g.Founders), g.MaxNeurons)
	for _, err := range g.Params.faults() {
		errs = append(errs, fmt.Errorf("genesis: %w", err))
	}
	seen, left := map[protocol.Hotkey]bool{}, uint64(maxTotalStake)
	for _, f := range g.Founders {
		if err := f.Hotkey.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("genesis: founder %v: %w", f.Hotkey, err))
		}
		fault(seen[f.Hotkey], "founder %v appears twice", f.Hotkey)
		fault(f.Stake > left, "the founders' stake is over %d in all", uint64(maxTotalStake))
		seen[f.Hotkey], left = true, left-min(f.Stake, left)
	}
	return errors.Join(errs...)
}
