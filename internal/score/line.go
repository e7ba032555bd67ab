package score

import "fmt"

// Kind names the rule that changed a score, or kept it unchanged.
type Kind string

// The kinds of reasons.
const (
	KindInactive  Kind = "inactive"           // uploaded nothing lately
	KindReset     Kind = "inactivity-reset"   // for so long that its scores were reset
	KindMissing   Kind = "missing-gradient"   // no gradient that counts
	KindInvalid   Kind = "invalid-gradient"   // a gradient that cannot be used
	KindShared    Kind = "shared-gradient"    // like another miner's
	KindUnlisted  Kind = "unlisted-gradient"  // a gradient that the closing statement does not list
	KindNoSample  Kind = "no-sync-sample"     // no sync sample that can be used
	KindSync      Kind = "out-of-sync"        // parameters too far from ours
	KindAlone     Kind = "evaluated-alone"    // no other miner to rate against
	KindRefused   Kind = "evaluation-refused" // our own measurement cannot be used
	KindBlackout  Kind = "nobody-reachable"   // no store answered: treated as a failure of our own link
	KindNewHotkey Kind = "new-hotkey"         // first seen: begins without history
)

// Reason is one rule that applied to a miner in a window.
type Reason struct {
	Kind Kind `json:"kind"`
	// Factor multiplied the final score and the binary average where they were
	// positive; 1 for what is no penalty.
	Factor float64 `json:"factor"`
	// Detail describes the observation in plain words.
	Detail string `json:"detail"`
}

func (r Reason) String() string {
	if r.Factor == 1 {
		return fmt.Sprintf("%s: %s", r.Kind, r.Detail)
	}
	return fmt.Sprintf("%s (x %g): %s", r.Kind, r.Factor, r.Detail)
}

// Line is one miner's line in the account of a window: its observation, and the effect on its
// standing.
type Line struct {
	Observation
	Before Record `json:"before"`
	After  Record `json:"after"`
	// Evaluated reports that Own and Random, the relative improvements on the miner's
	// own pages and on the shared ones, entered the scores.
	Evaluated bool     `json:"evaluated"`
	Own       float64  `json:"own_improvement"`
	Random    float64  `json:"random_improvement"`
	Reasons   []Reason `json:"reasons,omitempty"`
	// Weight is the miner's share of the validator's weights after the window: in [0, 1],
	// with a sum of 1 over all miners when one has a positive final score.
	Weight float64 `json:"weight"`
}

// Notes are the reasons as sentences.
func (l *Line) Notes() []string {
	var out []string
	for _, r := range l.Reasons {
		out = append(out, r.String())
	}
	return out
}

// MeanLosses returns the means of the losses of the miners that were measured; ok is false when
// none was.
func MeanLosses(lines []Line) (mean Losses, ok bool) {
	n := 0
	for i := range lines {
		l := lines[i].Losses
		if l == nil {
			continue
		}
		n++
		mean.OwnBefore += l.OwnBefore
		mean.OwnAfter += l.OwnAfter
		mean.RandomBefore += l.RandomBefore
		mean.RandomAfter += l.RandomAfter
	}
	by := Number(max(n, 1))
	return Losses{OwnBefore: mean.OwnBefore / by, OwnAfter: mean.OwnAfter / by, RandomBefore: mean.RandomBefore / by, RandomAfter: mean.RandomAfter / by}, n > 0
}

// Active counts the miners that have uploaded in the last window.
func Active(lines []Line) (n int) {
	for i := range lines {
		if lines[i].After.InactiveWindows == 0 {
			n++
		}
	}
	return n
}

// Penalties counts the reasons that are penalties.
func (l *Line) Penalties() (n int) {
	for _, r := range l.Reasons {
		if r.Factor != 1 {
			n++
		}
	}
	return n
}

func (l *Line) note(kind Kind, format string, args ...any) {
	l.Reasons = append(l.Reasons, Reason{kind, 1, fmt.Sprintf(format, args...)})
}

func (l *Line) penalise(kind Kind, factor float64, format string, args ...any) {
	if l.After.Final > 0 {
		l.After.Final *= factor
	}
	if l.After.BinaryAverage > 0 {
		l.After.BinaryAverage *= factor
	}
	l.Reasons = append(l.Reasons, Reason{kind, factor, fmt.Sprintf(format, args...)})
}
