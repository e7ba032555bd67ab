package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"templar/protocol"
)

// StartWindow is a validator's announcement of a run, under DomainStartWindow.
type StartWindow struct {
	Run         protocol.Hash   `json:"run"` // of the run parameters
	StartWindow protocol.Window `json:"start_window"`
	StateHash   protocol.Hash   `json:"state_hash"` // of theta_0
}

// Hash identifies the announcement. Every Aggregate carries it.
func (s *StartWindow) Hash() protocol.Hash {
	b := append([]byte("templar start\x00"), s.Run[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.StartWindow))
	return sha256.Sum256(append(b, s.StateHash[:]...))
}

// Reason is why a validator calls an Aggregate false.
type Reason string

// The reasons.
const (
	ReasonUpdate   Reason = "update"   // it is not the update of the gradients that it names
	ReasonPayloads Reason = "payloads" // gradients that it names are not in the archive in time
	ReasonChain    Reason = "chain"    // it does not follow the chain of Aggregates, or cannot be read
	ReasonAbsent   Reason = "absent"   // the aggregator whose turn the term is has issued none in time

	// The reasons that are proven by a Conflict.
	ReasonConflict   Reason = "conflict"   // there are two of one window and term
	ReasonStatements Reason = "statements" // there are two closing statements of the window
)

// proof is the kind of object of which two prove the reason; 0 for a reason without a proof.
func (r Reason) proof() Kind {
	switch r {
	case ReasonConflict:
		return KindAggregate
	case ReasonStatements:
		return KindClosing
	}
	return 0
}

// Charge is a validator's statement that the Aggregate of a window and term is false. It holds for
// all that follow it in that term.
type Charge struct {
	Term     protocol.Term   `json:"term"`
	Window   protocol.Window `json:"window"`
	Reason   Reason          `json:"reason"`
	Accused  protocol.Hotkey `json:"accused,omitzero"` // the aggregator; zero when it is not known
	Content  protocol.Hash   `json:"content_hash,omitzero"`
	Conflict *Conflict       `json:"conflict,omitempty"`
}

// Void states that the Aggregates of a term do not count from a window on.
type Void struct {
	Term    protocol.Term   `json:"term"`
	Window  protocol.Window `json:"window"`
	Accused protocol.Hotkey `json:"accused,omitzero"` // the aggregator that is passed over; zero: none is
}

// Charges are those of a validator that stand, and what it knows to be void, under DomainCharges.
type Charges struct {
	Run     protocol.Hash `json:"run"`
	Charges []Charge      `json:"charges"`         // ascending by term, one for each
	Voids   []Void        `json:"voids,omitempty"` // likewise
}

// MaxCharges bounds the charges in one document, and the voids.
const MaxCharges = 256

// Validate checks that terms ascend, reasons are known, and those have a conflict that need one. It verifies no
// conflict: see Charge.Verify.
func (c *Charges) Validate() error {
	if len(c.Charges) > MaxCharges || len(c.Voids) > MaxCharges {
		return fmt.Errorf("charges: %d and %d voids, at most %d each", len(c.Charges), len(c.Voids), MaxCharges)
	}
	for i, v := range c.Voids {
		if i > 0 && v.Term <= c.Voids[i-1].Term {
			return errors.New("charges: terms of voids do not ascend")
		}
	}
	for i, charge := range c.Charges {
		if i > 0 && charge.Term <= c.Charges[i-1].Term {
			return errors.New("charges: terms do not ascend")
		}
		switch charge.Reason {
		case ReasonUpdate, ReasonPayloads, ReasonChain, ReasonAbsent, ReasonConflict, ReasonStatements:
		default:
			return fmt.Errorf("charges: unknown reason %q", charge.Reason)
		}
		if (charge.Conflict != nil) != (charge.Reason.proof() != 0) {
			return errors.New("charges: a conflict is given exactly for the reasons conflict and statements")
		}
	}
	return nil
}

// Evidence are the charges by which a validator knows what is void: for each void, the documents of the validators
// whose charges made it so, as they signed them (DomainCharges). It is not signed itself.
type Evidence struct {
	Voids [][]json.RawMessage `json:"voids"`
}

// MaxEvidence bounds the documents of one void, in bytes, and MaxEvidenceVoids the voids in one object.
const (
	MaxEvidence      = 128 << 10
	MaxEvidenceVoids = 8
)

// MaxEvidenceSize bounds an evidence object.
const MaxEvidenceSize = MaxEvidenceVoids*(MaxEvidence+1024) + 1024

// EncodeEvidence returns e as its object's bytes.
func EncodeEvidence(e *Evidence) ([]byte, error) { return json.Marshal(e) }

// DecodeEvidence reads what EncodeEvidence made. It verifies no document.
func DecodeEvidence(b []byte) (*Evidence, error) {
	var e Evidence
	if int64(len(b)) > MaxEvidenceSize {
		return nil, fmt.Errorf("evidence: %d bytes, at most %d", len(b), MaxEvidenceSize)
	}
	if err := decodeExact(b, &e); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	if len(e.Voids) > MaxEvidenceVoids {
		return nil, fmt.Errorf("evidence: of %d voids, at most %d", len(e.Voids), MaxEvidenceVoids)
	}
	for _, documents := range e.Voids {
		size := 0
		for _, d := range documents {
			size += len(d)
		}
		if size > MaxEvidence {
			return nil, fmt.Errorf("evidence: %d bytes of one void, at most %d", size, MaxEvidence)
		}
	}
	return &e, nil
}

// PeerList is the set of peers whose gradients are gathered from a window on, under
// DomainPeers.
type PeerList struct {
	Run           protocol.Hash   `json:"run"`
	EffectiveFrom protocol.Window `json:"effective_from"`
	Peers         []protocol.UID  `json:"peers"`             // ascending
	Reserve       []protocol.UID  `json:"reserve,omitempty"` // in order of preference
}

// Validate checks that peers ascend and that no uid appears twice.
func (l *PeerList) Validate() error {
	seen := map[protocol.UID]bool{}
	if !slices.IsSorted(l.Peers) {
		return errors.New("peer list: uids do not ascend")
	}
	for _, uid := range slices.Concat(l.Peers, l.Reserve) {
		if seen[uid] {
			return errors.New("peer list: a uid appears twice")
		}
		seen[uid] = true
	}
	return nil
}
