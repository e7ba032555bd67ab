// Package report defines a validator's reports: one signed document a window, in its bucket,
// with all inputs of its scores and the resulting scores. docs/spec/report.md is the
// specification.
//
// A report is evidence, not state: a validator never reads it back. Its readers can recompute
// the scores (Rescore), repeat the draws of miners and pages, and, with the model and the
// gradients, measure the losses again. Until then the contents of another node's report are
// unverified.
package report

import (
	"fmt"
	"strings"
	"time"

	"templar/internal/score"
	"templar/internal/versioned"
	"templar/protocol"
	"templar/wire"
)

const (
	// Version is the version of a report's form.
	//
	//	1  2026-11  first form
	//	2  2026-11  a miner's uid, hotkey, l2 and mean_abs; mean_abs_steps is steps_behind
	Version = 2
	// Domain is what a report is signed under.
	Domain = "report"
)

// Bounds on what a report from another node may hold.
const (
	maxMiners  = 4096 // the largest number of slots of a chain
	maxReasons = 16
	maxText    = 256 // bytes of a reason
)

// The largest sizes of parts of a report, in bytes of JSON.
const (
	headSize  = 2 << 10 // all but the lists, with the signature
	minerSize = 5 << 10 // two records, losses, and a reason of each kind that can come together
	pageSize  = 21      // a number and a comma
	batchSize = 120     // three losses with their names
)

// MaxSize bounds the document: room for every slot that a chain can have, and for the pages and
// sampled batches of as many miners as the run evaluates in a window.
func MaxSize(p *protocol.Params) int64 {
	evaluated := min(int64(p.UIDsPerWindow)+int64(p.UnprovenPerWindow), maxMiners)
	pages := int64(p.PagesPerWindow)
	batches := pages * int64(p.PageTokens) / max(1, int64(p.SequenceLength)*int64(p.BatchSize))
	return headSize + maxMiners*minerSize + (1+evaluated)*pages*pageSize + evaluated*(batches+pages)*batchSize
}

// Report is a validator's account of one window.
type Report struct {
	Version int             `json:"version"`
	Run     protocol.Hash   `json:"run"`
	Start   protocol.Window `json:"start_window"`
	Window  protocol.Window `json:"window"`
	UID     protocol.UID    `json:"uid"` // the validator's

	// The parameters that losses were measured from: those before the window.
	State    protocol.Hash `json:"state_hash"`
	Previous protocol.Hash `json:"previous_aggregate"` // zero at the start window
	// Aggregate is the window's; zero when it was not there in time, and only the
	// validator's own gather counted.
	Aggregate protocol.Hash `json:"aggregate"`

	// What everything is drawn from, by the run's rule (protocol.Params.Randomness): the seed of
	// page assignments, and that of the evaluation, from the first block after the upload
	// deadline. End is the hash of the first block after the window.
	First protocol.Hash `json:"first_block_hash"`
	End   protocol.Hash `json:"end_block_hash"`
	Seed  protocol.Hash `json:"seed_block_hash"`
	// EndTime is T, the time of the first block after the window: milliseconds since 1970.
	EndTime int64 `json:"end_block_time"`

	// Engine is what measured the losses: the platform and the precision of matrix products, as "cpu float32" or
	// "cuda bf16". Empty: not said.
	Engine string `json:"engine,omitempty"`

	CommonPages []uint64 `json:"common_pages"`
	// Weighed is the last window whose weights the chain had taken before this one.
	Weighed protocol.Window `json:"weights_window"`
	// Miners are those that were looked at, ascending by uid.
	Miners List[Miner] `json:"miners"`
	// Unseen are the records of miners that were not, ascending by uid.
	Unseen List[score.Record] `json:"unseen,omitempty"`
}

// Miner is a miner's line in the account of the window, with the data needed to check it.
type Miner struct {
	Selected   bool          `json:"selected"` // in the window's peer list
	Included   bool          `json:"included"` // in the Aggregate, as the verdict saw it
	Content    protocol.Hash `json:"content_hash,omitzero"`
	Stored     int64         `json:"stored,omitempty"`        // LastModified, seconds since 1970
	Registered uint64        `json:"registered_at,omitempty"` // block
	OwnPages   []uint64      `json:"own_pages,omitempty"`     // of the evaluated
	score.Line
}

// StoredAt is when the gradient was stored, zero if unknown.
func (m *Miner) StoredAt() time.Time {
	if m.Stored == 0 {
		return time.Time{}
	}
	return time.Unix(m.Stored, 0)
}

// Encode signs a report of a run with parameters p.
func (r *Report) Encode(s protocol.Signer, p *protocol.Params) ([]byte, error) {
	return wire.SealWithin(MaxSize(p), Domain, r, s)
}

// Decode reads a report and returns its signer. The caller checks that it is the requested one,
// and whether its contents are true.
func Decode(b []byte, p *protocol.Params) (*Report, protocol.Hotkey, error) {
	r := &Report{}
	by, err := wire.OpenWithin(MaxSize(p), Domain, b, r)
	if err != nil {
		return nil, protocol.Hotkey{}, err
	}
	return r, by, nil
}

// file is a report; a validator's waiting ones and those in buckets have the same form.
var file = versioned.File{Name: "the report", Version: Version, Least: Version, Remedy: "read it with the release that wrote it"}

// CheckVersion refuses another version before its content is read.
func (r *Report) CheckVersion(raw []byte) error { return file.CheckJSON(raw) }

// Validate refuses reports that no validator could have written, and text with control
// characters.
func (r *Report) Validate() error {
	switch {
	case r.Version != Version:
		return file.Check(r.Version)
	case r.Window < r.Start:
		return fmt.Errorf("report: window %d is before start window %d", r.Window, r.Start)
	case !plain(r.Engine):
		return fmt.Errorf("report: the engine's name is longer than %d bytes, or not plain text", maxText)
	case len(r.Miners)+len(r.Unseen) > maxMiners:
		return fmt.Errorf("report: more than %d miners", maxMiners)
	}
	seen := make(map[protocol.Hotkey]bool, len(r.Miners))
	for i := range r.Miners {
		m := &r.Miners[i]
		if (i > 0 && m.UID <= r.Miners[i-1].UID) || seen[m.Hotkey] {
			return fmt.Errorf("report: uid %d is out of order, or its hotkey appears twice", m.UID)
		}
		if m.Before.Hotkey != m.Hotkey || m.After.Hotkey != m.Hotkey || m.After.UID != m.UID {
			return fmt.Errorf("report: uid %d: its records have different hotkeys or uids", m.UID)
		}
		seen[m.Hotkey] = true
		if err := m.validate(); err != nil {
			return fmt.Errorf("report: uid %d: %w", m.UID, err)
		}
	}
	return nil
}

// plain reports whether text is short, and of printable ASCII.
func plain(text string) bool {
	return len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

func (m *Miner) validate() error {
	if len(m.Reasons) > maxReasons {
		return fmt.Errorf("more than %d reasons", maxReasons)
	}
	for _, reason := range m.Reasons {
		for _, text := range []string{string(reason.Kind), reason.Detail} {
			if !plain(text) {
				return fmt.Errorf("a reason is longer than %d bytes, or not plain text", maxText)
			}
		}
	}
	return nil
}
