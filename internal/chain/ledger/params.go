package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"templar/internal/strictjson"
	"templar/protocol"
)

// Params are what more than two thirds of the authorities may change (Vote).
type Params struct {
	// Authorities are hotkeys: they give and take stake, register others, and vote.
	Authorities []protocol.Hotkey `json:"authorities"`

	OpenRegistration bool   `json:"open_registration"` // to all hotkeys, not only through authorities
	MaxRegistrations int    `json:"max_registrations"` // a block
	MaxNeurons       int    `json:"max_neurons"`
	ImmunityPeriod   uint64 `json:"immunity_period"` // blocks in which a new neuron is not replaced
	// RegistrationWork is the proof of work that a hotkey which registers itself must show, as
	// a power of two of evaluations of scrypt, 0.4 ms each on one core; 0: none.
	RegistrationWork uint8 `json:"registration_work"`
	MaxValidators    int   `json:"max_validators"` // permits

	CommitmentSize  int    `json:"commitment_size"`   // bytes at most
	CommitRateLimit uint64 `json:"commit_rate_limit"` // blocks between two commitments of a neuron

	MinWeights       int    `json:"min_weights"`        // entries at least, while there are as many neurons
	WeightsRateLimit uint64 `json:"weights_rate_limit"` // blocks between two SetWeights of a neuron
	VersionKey       uint64 `json:"version_key"`        // SetWeights of a lower version are refused
	// WeightsReveal is how many blocks weights stay secret after their commit; 0: they are set in
	// the open, and can be copied at once. Useful values are a tempo or more.
	WeightsReveal uint64 `json:"weights_reveal"`

	// Yuma consensus.
	Tempo            uint64 `json:"tempo"`              // blocks an epoch
	EmissionPerBlock uint64 `json:"emission_per_block"` // shared out at the epoch; bookkeeping only
	ActivityCutoff   uint64 `json:"activity_cutoff"`    // blocks without weights until stake stops counting
	StakeThreshold   uint64 `json:"stake_threshold"`
	Kappa            uint16 `json:"kappa"`                // share of 65535
	BondsPenalty     uint16 `json:"bonds_penalty"`        // share of 65535
	BondsAverage     uint32 `json:"bonds_moving_average"` // share of 1e6
	Yuma3            bool   `json:"yuma3"`
	LiquidAlpha      bool   `json:"liquid_alpha"` // with Yuma3
	AlphaLow         uint16 `json:"alpha_low"`    // share of 65535
	AlphaHigh        uint16 `json:"alpha_high"`   // share of 65535
	AlphaSteepness   uint16 `json:"alpha_sigmoid_steepness"`
}

const (
	maxNeurons        = 4096
	maxAuthorities    = 64
	minCommitmentSize = 128 // Bittensor's bucket commitment
	maxCommitmentSize = 512
	maxParamsSize     = 8 << 10
)

// DefaultParams are Bittensor's values, with longer commitments.
func DefaultParams() Params {
	return Params{
		OpenRegistration: true, MaxRegistrations: 8, MaxNeurons: 256, ImmunityPeriod: 4096, MaxValidators: 64,
		CommitmentSize: maxCommitmentSize, CommitRateLimit: 10, WeightsRateLimit: 100,
		Tempo: 360, EmissionPerBlock: 1e9, ActivityCutoff: 5000,
		Kappa: 32767, BondsPenalty: 65535, BondsAverage: 900_000,
		AlphaLow: 45875, AlphaHigh: 58982, AlphaSteepness: 1000,
	}
}

// DecodeParams reads Params from JSON. Unknown keys are errors.
func DecodeParams(b []byte) (p Params, err error) {
	if err = decodeJSON(b, &p); err != nil {
		return Params{}, fmt.Errorf("parameters: %w", err)
	}
	return p, errors.Join(p.faults()...)
}

// Encode returns the canonical form, which DecodeParams reads.
func (p *Params) Encode() ([]byte, error) { return json.Marshal(p) }

func decodeJSON(b []byte, v any) error {
	return strictjson.Config(b, v)
}

// faults lists all that is wrong.
func (p *Params) faults() (errs []error) {
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(len(p.Authorities) > maxAuthorities, "%d authorities: at most %d", len(p.Authorities), maxAuthorities)
	seen := map[protocol.Hotkey]bool{}
	for _, a := range p.Authorities {
		fault(seen[a], "authority %v appears twice", a)
		seen[a] = true
	}
	fault(p.MaxNeurons < 1 || p.MaxNeurons > maxNeurons, "max_neurons is %d: 1 to %d", p.MaxNeurons, maxNeurons)
	fault(p.MaxRegistrations < 1 || p.MaxRegistrations > maxNeurons, "max_registrations is %d: 1 to %d", p.MaxRegistrations, maxNeurons)
	fault(p.ImmunityPeriod > math.MaxUint32, "immunity_period is over %d", uint32(math.MaxUint32))
	fault(p.MaxValidators < 1, "max_validators must be positive")
	fault(p.CommitmentSize < minCommitmentSize || p.CommitmentSize > maxCommitmentSize,
		"commitment_size is %d: %d to %d", p.CommitmentSize, minCommitmentSize, maxCommitmentSize)
	fault(p.CommitRateLimit > math.MaxUint32, "commit_rate_limit is over %d", uint32(math.MaxUint32))
	fault(p.MinWeights < 0, "min_weights must not be negative")
	fault(p.WeightsRateLimit > math.MaxUint32, "weights_rate_limit is over %d", uint32(math.MaxUint32))
	fault(p.WeightsReveal > math.MaxUint32, "weights_reveal is over %d", uint32(math.MaxUint32))
	fault(p.RegistrationWork > maxWork, "registration_work is %d: at most %d", p.RegistrationWork, maxWork)
	fault(p.Tempo < 1 || p.Tempo > math.MaxUint32, "tempo is %d: must be positive", p.Tempo)
	fault(p.EmissionPerBlock > math.MaxUint32, "emission_per_block is %d: at most %d", p.EmissionPerBlock, uint32(math.MaxUint32))
	fault(p.ActivityCutoff > math.MaxUint32, "activity_cutoff is over %d", uint32(math.MaxUint32))
	fault(p.BondsAverage > 1_000_000, "bonds_moving_average is %d: a share of 1000000", p.BondsAverage)
	fault(p.AlphaLow > p.AlphaHigh, "alpha_low %d is over alpha_high %d", p.AlphaLow, p.AlphaHigh)
	return errs
}

// IsAuthority reports whether a hotkey is among the authorities.
func (p *Params) IsAuthority(h protocol.Hotkey) bool {
	for _, a := range p.Authorities {
		if a == h {
			return true
		}
	}
	return false
}
