package mailbox

import (
	"slices"

	"templar/internal/run"
	"templar/protocol"
	"templar/wire"
)

// Absent holds the peers that the last two Aggregates skipped as not there: the next window does not wait for them, and
// may include them. One whose gradient was there and invalid costs no waiting, and does not count. This follows from the chain of Aggregates alone, so that all nodes agree on it, and a restart
// does not change it. The zero value names no peer.
type Absent struct {
	next   protocol.Window // after the newest Aggregate
	newest []wire.Skipped
	before []wire.Skipped
}

// Add takes the Aggregate of the next window. One of any other window begins anew.
func (p *Absent) Add(a *run.Aggregate) {
	if a.Window != p.next {
		p.newest = nil
	}
	p.before, p.newest, p.next = p.newest, a.Skipped, a.Window+1
}

// Awaits reports whether a peer is waited for in window w.
func (p *Absent) Awaits(w protocol.Window, uid protocol.UID) bool {
	skipped := func(by []wire.Skipped) bool {
		return slices.ContainsFunc(by, func(s wire.Skipped) bool {
			return s.UID == uid && (!s.Verdict.Invalid() || s.Verdict == protocol.VerdictWithheld)
		})
	}
	return w != p.next || !skipped(p.newest) || !skipped(p.before)
}
