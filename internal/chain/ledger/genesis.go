package ledger

import (
	"bytes"
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

	// Authorities may add stake, and register while registration is closed.
	Authorities []protocol.Hotkey `json:"authorities"`
	// Founders are registered at block 0, with uids in this order. Those with stake
	// hold a validator permit from block 0 on.
	Founders []Founder `json:"founders"`

	OpenRegistration bool   `json:"open_registration"` // to everybody
	MaxNeurons       int    `json:"max_neurons"`
	ImmunityPeriod   uint64 `json:"immunity_period"` // blocks in which a new neuron is not replaced
	MaxValidators    int    `json:"max_validators"`  // permits
	CommitmentSize   int    `json:"commitment_size"` // bytes at most

	MinWeights       int    `json:"min_weights"`        // entries at least, while there are as many neurons
	WeightsRateLimit uint64 `json:"weights_rate_limit"` // blocks between two SetWeights of a neuron
	VersionKey       uint64 `json:"version_key"`        // SetWeights of a lower version are refused

	// Yuma consensus.
	Tempo            uint64 `json:"tempo"`              // blocks an epoch
	EmissionPerBlock uint64 `json:"emission_per_block"` // shared out at the epoch; bookkeeping only
	ActivityCutoff   uint64 `json:"activity_cutoff"`    // blocks without weights until stake stops counting
	StakeThreshold   uint64 `json:"stake_threshold"`
	Kappa            uint16 `json:"kappa"`                // share of 65535
	BondsPenalty     uint16 `json:"bonds_penalty"`        // share of 65535
	BondsAverage     uint32 `json:"bonds_moving_average"` // share of 1e6
}

// Founder is a neuron of the genesis.
type Founder struct {
	Hotkey protocol.Hotkey `json:"hotkey"`
	Stake  uint64          `json:"stake"`
}

const (
	maxNeurons        = 4096
	minCommitmentSize = 128 // Bittensor's bucket commitment
	maxCommitmentSize = 512
	maxTotalStake     = math.MaxInt64
)

// DefaultGenesis returns Bittensor's values, with longer commitments and open
// registration. The caller adds the time, authorities and founders.
func DefaultGenesis(chainID string) Genesis {
	return Genesis{
		ChainID: chainID, NetUID: 1,
		OpenRegistration: true, MaxNeurons: 256, ImmunityPeriod: 4096, MaxValidators: 64, CommitmentSize: maxCommitmentSize,
		WeightsRateLimit: 100, Tempo: 360, EmissionPerBlock: 1e9, ActivityCutoff: 5000,
		Kappa: 32767, BondsPenalty: 65535, BondsAverage: 900_000,
	}
}

// DecodeGenesis reads a Genesis from JSON. Unknown keys are errors.
func DecodeGenesis(b []byte) (Genesis, error) {
	var g Genesis
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		return Genesis{}, fmt.Errorf("genesis: %w", err)
	}
	if dec.More() {
		return Genesis{}, errors.New("genesis: more than one JSON value")
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
	fault(g.MaxNeurons < 1 || g.MaxNeurons > maxNeurons, "max_neurons is %d: 1 to %d", g.MaxNeurons, maxNeurons)
	fault(len(g.Founders) > g.MaxNeurons, "%d founders are over max_neurons %d", len(g.Founders), g.MaxNeurons)
	fault(g.MaxValidators < 1, "max_validators must be positive")
	fault(g.CommitmentSize < minCommitmentSize || g.CommitmentSize > maxCommitmentSize,
		"commitment_size is %d: %d to %d", g.CommitmentSize, minCommitmentSize, maxCommitmentSize)
	fault(g.MinWeights < 0, "min_weights must not be negative")
	fault(g.Tempo < 1 || g.Tempo > math.MaxUint32, "tempo is %d: must be positive", g.Tempo)
	fault(g.EmissionPerBlock > math.MaxUint32, "emission_per_block is %d: at most %d", g.EmissionPerBlock, uint32(math.MaxUint32))
	fault(g.ActivityCutoff > math.MaxUint32, "activity_cutoff is over %d", uint32(math.MaxUint32))
	fault(g.BondsAverage > 1_000_000, "bonds_moving_average is %d: a share of 1000000", g.BondsAverage)
	seen, left := map[protocol.Hotkey]bool{}, uint64(maxTotalStake)
	for _, f := range g.Founders {
		fault(seen[f.Hotkey], "founder %v stands twice", f.Hotkey)
		fault(f.Stake > left, "the founders' stake is over %d in all", uint64(maxTotalStake))
		seen[f.Hotkey], left = true, left-min(f.Stake, left)
	}
	return errors.Join(errs...)
}

func (g *Genesis) isAuthority(h protocol.Hotkey) bool {
	for _, a := range g.Authorities {
		if a == h {
			return true
		}
	}
	return false
}
