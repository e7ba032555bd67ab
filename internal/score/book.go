package score

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"templar/internal/strictjson"
	"templar/internal/versioned"
	"templar/protocol"
)

// Schema is the version of a Book's JSON form.
//
//	1  2026-11  first form
//	2  2026-11  weights_window, checksum: a book of form 1 is read as one whose weights were
//	            never set
//	3  2026-11  pending_weights: a book of an earlier form has none
//	4  2026-11  batches, gain, typical_gain, refused: zero in a book of an earlier form
const Schema = 4

// Record is a miner's standing with one validator. It belongs to the hotkey: the next owner of
// its uid starts without history.
type Record struct {
	Hotkey protocol.Hotkey `json:"hotkey"`
	UID    protocol.UID    `json:"uid"` // where the hotkey was last seen
	Rating
	GradientScore float64 `json:"gradient_score"` // of the last evaluation
	BinaryAverage float64 `json:"binary_average"` // in [-1, 1]
	// Batches is the number of own batches in BinaryAverage, those of earlier evaluations
	// discounted; Gain and TypicalGain are sums of gradient scores, the miner's own and those of the median miner in
	// the same windows, discounted likewise. The rule "work" needs them.
	Batches         float64         `json:"batches,omitzero"`
	Gain            float64         `json:"gain,omitzero"`
	TypicalGain     float64         `json:"typical_gain,omitzero"`
	SyncScore       float64         `json:"sync_score"` // in [0, 1]
	Final           float64         `json:"final"`
	Evaluations     uint64          `json:"evaluations"`
	LastEvaluated   protocol.Window `json:"last_evaluated"` // undefined while Evaluations is 0
	Waiting         uint64          `json:"waiting"`        // windows since last drawn for evaluation
	InactiveWindows uint64          `json:"inactive_windows"`
	Refused         uint64          `json:"refused,omitzero"` // invalid uploads since the last valid one
}

func newRecord(hotkey protocol.Hotkey, uid protocol.UID) Record {
	return Record{Hotkey: hotkey, UID: uid, Rating: Rating{InitialMu, InitialSigma}}
}

// Pending is a commit of weights whose reveal is still to come. The zero value is none.
type Pending struct {
	Window      protocol.Window `json:"window"`       // after which the weights were due
	Block       uint64          `json:"block"`        // of the commit
	EffectiveAt uint64          `json:"effective_at"` // first block in which the reveal counts
}

// IsZero reports whether no commit is pending.
func (p Pending) IsZero() bool { return p == Pending{} }

// Book is a validator's durable state about the miners. The zero value is the book at the
// start of a run. Books are values: Close does not change its receiver.
type Book struct {
	// Next is the first window that was not closed yet.
	Next protocol.Window
	// Weighed is the last window whose weights the chain has accepted; zero if none. The caller
	// sets it; Close copies it.
	Weighed protocol.Window
	// Pending are later weights that the chain has accepted only as a commit. The caller sets
	// it; Close copies it.
	Pending Pending
	// Records ascend by uid; uids and hotkeys are unique.
	Records []Record
}

// Record finds a hotkey's standing.
func (b *Book) Record(h protocol.Hotkey) (Record, bool) {
	i := slices.IndexFunc(b.Records, func(r Record) bool { return r.Hotkey == h })
	if i < 0 {
		return Record{}, false
	}
	return b.Records[i], true
}

// BookFile is a Book on disk. Its version is the schema.
var BookFile = versioned.File{
	Name: "scores.json", Version: Schema, Least: 1, Remedy: "run the release that wrote it, restore a backup, or move it away to begin with empty scores",
}

// bookFile is a Book on disk.
type bookFile struct {
	Schema  int             `json:"schema"`
	Next    protocol.Window `json:"next_window"`
	Weighed protocol.Window `json:"weights_window"`
	Pending Pending         `json:"pending_weights,omitzero"`
	Records []Record        `json:"records"`
	// Checksum is the SHA-256 of the file's own form with a checksum of zero.
	Checksum protocol.Hash `json:"checksum,omitzero"`
}

// Encode returns the book as JSON; equal books give equal bytes.
func (b *Book) Encode() ([]byte, error) {
	f := bookFile{Schema: Schema, Next: b.Next, Weighed: b.Weighed, Pending: b.Pending, Records: b.Records}
	var err error
	if f.Checksum, err = f.sum(); err != nil {
		return nil, err
	}
	return json.Marshal(f)
}

func (f bookFile) sum() (protocol.Hash, error) {
	f.Checksum = protocol.Hash{}
	raw, err := json.Marshal(f)
	return sha256.Sum256(raw), err
}

// DecodeBook reads a book that this release or an earlier one encoded. It refuses other schemas,
// unknown keys, records that no Close could have written, and books whose checksum does not match.
func DecodeBook(raw []byte) (Book, error) {
	var f bookFile
	if err := BookFile.CheckJSON(raw); err != nil {
		return Book{}, err
	}
	if err := strictjson.Config(raw, &f); err != nil {
		return Book{}, fmt.Errorf("scores: %w", err)
	}
	if err := BookFile.Check(f.Schema); err != nil {
		return Book{}, err
	}
	b := Book{f.Next, f.Weighed, f.Pending, f.Records}
	if err := b.validate(); err != nil {
		return Book{}, err
	}
	if sum, err := f.sum(); f.Schema > 1 && (err != nil || sum != f.Checksum) {
		return Book{}, errors.New("scores: damaged: the checksum does not match")
	}
	return b, nil
}

func (b *Book) validate() error {
	if b.Weighed > 0 && b.Weighed >= b.Next {
		return fmt.Errorf("scores: weights of window %d were set, which is not closed", b.Weighed)
	}
	if p := b.Pending; !p.IsZero() && (p.Window >= b.Next || p.Window <= b.Weighed || p.Block == 0 || p.EffectiveAt <= p.Block) {
		return fmt.Errorf("scores: pending weights of window %d, committed in block %d and revealed from block %d on, are not possible", p.Window, p.Block, p.EffectiveAt)
	}
	seen := make(map[protocol.Hotkey]bool, len(b.Records))
	for i, r := range b.Records {
		switch {
		case r.Hotkey.IsZero() || seen[r.Hotkey]:
			return fmt.Errorf("scores: uid %d: hotkey is missing or appears twice", r.UID)
		case i > 0 && r.UID <= b.Records[i-1].UID:
			return fmt.Errorf("scores: uid %d is out of order", r.UID)
		case !(r.Batches >= 0) || math.IsInf(r.Batches, 0) || r.Gain-r.Gain != 0 || r.TypicalGain-r.TypicalGain != 0:
			return fmt.Errorf("scores: uid %d: batches, gain or typical_gain out of range", r.UID)
		case !(r.Sigma > 0) || r.BinaryAverage < -1 || r.BinaryAverage > 1 || r.SyncScore < 0 || r.SyncScore > 1:
			return fmt.Errorf("scores: uid %d: sigma, binary_average or sync_score out of range", r.UID)
		}
		seen[r.Hotkey] = true
	}
	return nil
}
