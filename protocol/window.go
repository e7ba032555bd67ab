package protocol

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Window numbers the rounds of a run: window = block / blocks_per_window.
type Window uint64

// UID is a neuron's slot on the chain. Slots are re-used: state that must not pass
// to a slot's next owner is keyed by Hotkey.
type UID uint16

// Term numbers the chains of Aggregates of a run: 0 until more than half of the stake calls an Aggregate
// false, and then that of the chain which replaces it and those after it. The upper 48 bits of a later term
// are the first window that it replaces.
type Term uint64

// termBits is how many of a term's bits count the replacements from one window on.
const termBits = 16

// From is the first window of a term after 0.
func (t Term) From() Window { return Window(t >> termBits) }

// TermFrom is the lowest term that begins with w.
func TermFrom(w Window) Term { return Term(w) << termBits }

// MayIssue reports whether an aggregator may sign Aggregates of a term: in term 0 each of the run's,
// in a later one the one whose turn it is.
func (p *Params) MayIssue(h Hotkey, t Term) bool {
	if t == 0 {
		return slices.Contains(p.Aggregators, h)
	}
	owner, ok := p.Owner(t)
	return ok && owner == h
}

// Owner returns the aggregator whose turn a term after 0 is: they take turns in the order of the run
// parameters.
func (p *Params) Owner(t Term) (owner Hotkey, ok bool) {
	if t == 0 || len(p.Aggregators) == 0 {
		return Hotkey{}, false
	}
	return p.Aggregators[uint64(t)%uint64(len(p.Aggregators))], true
}

// Hash is a SHA-256 digest, or a block hash of the same length.
type Hash [32]byte

// String is the whole digest in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short is the first eight hexadecimal digits, for people.
func (h Hash) Short() string { return hex.EncodeToString(h[:4]) }

// IsZero reports whether no digest was set.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText writes the digest in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads exactly 64 hexadecimal digits.
func (h *Hash) UnmarshalText(b []byte) error {
	var out Hash
	if hex.DecodedLen(len(b)) != len(out) {
		return fmt.Errorf("hash: want %d hexadecimal digits, got %d", 2*len(out), len(b))
	}
	if _, err := hex.Decode(out[:], b); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	*h = out
	return nil
}

// WindowOf returns the window of a block.
func (p *Params) WindowOf(block uint64) Window { return Window(block / p.BlocksPerWindow) }

// FirstBlock returns the number of the first block of w.
func (p *Params) FirstBlock(w Window) uint64 { return uint64(w) * p.BlocksPerWindow }

// Step returns the global step of w: the number of windows since start.
func (p *Params) Step(start, w Window) uint64 { return uint64(w - start) }

// Bounds is the closed interval of store times in which an upload counts.
type Bounds struct{ Min, Max time.Time }

// UploadBounds returns the interval [T - slack, T + D] for gradients of the window
// that ended with the block at time t, which is the first block of the next window.
func (p *Params) UploadBounds(t time.Time) Bounds {
	return Bounds{Min: t.Add(-p.Slack()), Max: t.Add(p.Delta())}
}

// Check judges a store's LastModified: VerdictOK, VerdictEarly or VerdictLate.
func (b Bounds) Check(modified time.Time) Verdict {
	switch {
	case modified.Before(b.Min):
		return VerdictEarly
	case modified.After(b.Max):
		return VerdictLate
	}
	return VerdictOK
}
