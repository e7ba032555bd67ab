// Package fault makes a bucket misbehave, for tests and simulations: the one decorator over
// store.Bucket that is slow, fails, loses answers, damages bodies or shows an old state. A
// Plan says which call meets which Fault (Wrap); a Carrier decides for each request when it
// arrives, and whether it does (Carry).
//
// Time comes from the clock.Clock alone, and nothing is drawn but from a seed, so a
// run repeats. Faults of a network connection need a proxy and are not here.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Names of operations, as Op.Name has them.
const (
	Head   = "head"
	Get    = "get"
	Range  = "range"
	List   = "list"
	Put    = "put"
	Delete = "delete"

	CreateUpload   = "create-upload"
	Uploads        = "uploads"
	PutPart        = "part"
	Parts          = "parts"
	CompleteUpload = "complete-upload"
	AbortUpload    = "abort-upload"
)

// Op is a call that a Plan is asked about.
type Op struct {
	Name string // one of the constants
	Key  string // or the prefix of a List or Uploads
	N    int    // the how-many-th call of this bucket, from 1
	// Try is the how-many-th call of this name and key, from 1. Unlike N it does not
	// depend on how concurrent calls happen to be ordered.
	Try int
}

func (o Op) String() string { return fmt.Sprintf("%s %q (call %d, try %d)", o.Name, o.Key, o.N, o.Try) }

// Damage is what happens to a body at its byte Fault.At. One that ends before is
// left whole.
type Damage int

// Damages. A body that a caller reads and one that it puts suffer alike, but for what
// the caller gets: a Put reports no damage, since the store does it. A part is like
// a Put.
const (
	// Truncate ends a read body with io.ErrUnexpectedEOF, as adapters do when a
	// connection is cut. A Put stores the truncated body and reports success.
	Truncate Damage = iota + 1
	// Corrupt flips a bit of the byte.
	Corrupt
	// Stall keeps the rest back until the context ends. A Put stores nothing.
	Stall
)

func (d Damage) String() string {
	switch d {
	case Truncate:
		return "truncate"
	case Corrupt:
		return "corrupt"
	case Stall:
		return "stall"
	}
	return "none"
}

// Fault is the misbehaviour of one call. The zero Fault is none; several fields add up.
type Fault struct {
	Delay time.Duration // before anything else
	Hang  bool          // no answer until the context ends
	Err   error         // the answer, in place of the call
	// Persist carries the call out all the same before it answers Err: a Put that
	// failed for the caller, yet is stored.
	Persist bool

	Damage Damage // to the body
	At     int64  // where, in bytes
	Drip   int64  // bytes a second of a body; 0 is no limit

	// Grow is added to the length that is announced: the body then ends with
	// io.ErrUnexpectedEOF, or with an early io.EOF where Grow is negative.
	Grow int64
	// Stale hides objects from Head, Get, GetRange and List that were modified less
	// than this ago: a store whose listing lags behind.
	Stale time.Duration
	Skew  time.Duration // added to LastModified: the store's clock is off
}

// Plan returns the fault of a call. It is called concurrently.
type Plan func(Op) Fault

// ErrReset is an answer for Fault.Err: a fault of the transport, worth a retry.
var ErrReset = errors.New("connection reset by the fault plan")
