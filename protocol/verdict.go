package protocol

import "fmt"

// Verdict is one node's judgement of one object of another node. A bad peer is data,
// never a Go error: errors are for faults on the reader's side. The same words are
// used in test vectors, metric labels, penalties and reports.
type Verdict uint8

const (
	// VerdictNone is the zero value: not judged. It is never published.
	VerdictNone            Verdict = iota
	VerdictOK                      // may be used
	VerdictMissing                 // the store answered: no such object
	VerdictUnreachable             // the store did not answer, or not in time
	VerdictDenied                  // the committed read key lacks the right
	VerdictNoBucket                // no commitment, or one that names no usable bucket
	VerdictEarly                   // stored before T - slack
	VerdictLate                    // stored after T + D
	VerdictTooLarge                // larger than the run allows; not downloaded
	VerdictMalformed               // not the format: magic, lengths, checksum, trailing bytes
	VerdictBadIndex                // a coefficient outside its chunk
	VerdictBadShape                // not this run's tensor table
	VerdictNonFinite               // NaN or infinity
	VerdictWrongVersion            // another protocol version
	VerdictWrongContext            // another run, window, uid or hotkey
	VerdictBadSignature            // not signed by the hotkey that it names
	VerdictUnauthenticated         // the store does not know the committed read key, or refuses its signature
	VerdictUndated                 // sent in parts: some stores date such an object before its contents are fixed
	VerdictWithheld                // listed by the closing statement, and its key was not revealed in time
	VerdictUnlisted                // in time, and not listed by the closing statement: it counts for nothing, and costs nothing
	verdictEnd
)

var verdictNames = [verdictEnd]string{
	"none", "ok", "missing", "unreachable", "denied", "no-bucket", "early", "late", "too-large", "malformed",
	"bad-index", "bad-shape", "non-finite", "wrong-version", "wrong-context", "bad-signature", "unauthenticated", "undated",
	"withheld", "unlisted",
}

// OK reports whether the object may be used.
func (v Verdict) OK() bool { return v == VerdictOK }

// Invalid reports whether the object arrived in time and was then found unusable:
// its owner, and not the network, is to blame.
func (v Verdict) Invalid() bool {
	return (v >= VerdictTooLarge && v <= VerdictBadSignature) || v == VerdictUndated || v == VerdictWithheld
}

// Final reports whether asking again cannot change the verdict.
func (v Verdict) Final() bool {
	return v != VerdictNone && v != VerdictMissing && v != VerdictUnreachable
}

func (v Verdict) String() string {
	if v < verdictEnd {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText returns the verdict's word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a verdict's word.
func (v *Verdict) UnmarshalText(b []byte) error {
	for i, name := range verdictNames {
		if name == string(b) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("unknown verdict %q", b)
}
