package directory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Standing is a Tracker's record of one miner.
type Standing struct {
	Peer   Peer
	Active bool
	Since  protocol.Window // when it became active, or inactive
	// Seen is the newest window of which it is known to have stored a gradient; zero: none.
	Seen protocol.Window
	// Reason is the verdict of the last check: ok, missing, denied, unauthenticated,
	// unreachable or no-bucket.
	Reason protocol.Verdict

	silent      bool // its store does not answer, since
	silentSince protocol.Window
}

// Tracker tracks which miners are active: those that stored a gradient within recent_windows.
// Records are kept by hotkey, so that a slot's next owner inherits nothing. It belongs to the
// loop of one role, which may call Update at any time.
type Tracker struct {
	directory *Directory
	clock     clock.Clock
	checked   time.Time
	known     map[protocol.Hotkey]Standing
}

// NewTracker returns a Tracker without records.
func NewTracker(d *Directory, c clock.Clock) *Tracker {
	return &Tracker{directory: d, clock: c, known: make(map[protocol.Hotkey]Standing)}
}

// Update checks all miners in the directory, if active_check_interval has passed since the last
// check. It returns the miners that became active or inactive.
//
// A store that does not answer does not make its miner inactive at once: a miner that was active, or
// is new, stays so for recent_windows. When no store answers, the cause is on our side and nothing
// changes.
func (t *Tracker) Update(ctx context.Context, current protocol.Window) (changed []Standing) {
	now := t.clock.Now()
	if !t.checked.IsZero() && now.Sub(t.checked) < t.directory.params.ActiveCheck() {
		return nil
	}
	miners := t.miners()
	found := t.lookAll(ctx, miners, current)
	if ctx.Err() != nil {
		return nil
	}
	t.checked = now
	answered := func(l look) bool { return l.verdict != protocol.VerdictUnreachable }
	if len(found) > 1 && !slices.ContainsFunc(found, answered) {
		return nil
	}
	next := make(map[protocol.Hotkey]Standing, len(miners))
	for i, p := range miners {
		before, old := t.known[p.Hotkey]
		s := before.after(found[i], !old, current, protocol.Window(t.directory.params.RecentWindows))
		s.Peer = p
		if !old || s.Active != before.Active {
			s.Since = current
			changed = append(changed, s)
		}
		next[p.Hotkey] = s
	}
	t.known = next
	return changed
}

// miners are the neurons that did not commit to another role, with a bucket or without.
func (t *Tracker) miners() []Peer {
	return slices.DeleteFunc(slices.Clone(t.directory.Peers()), func(p Peer) bool {
		return p.Role != telemetry.Miner && p.Role != ""
	})
}

// after returns a standing after one more check.
func (s Standing) after(l look, isNew bool, current, recent protocol.Window) Standing {
	s.Reason = l.verdict
	switch l.verdict {
	case protocol.VerdictOK:
		s.Active, s.Seen = true, max(s.Seen, l.seen)
	case protocol.VerdictUnreachable:
		if !s.silent {
			s.silentSince = current
		}
		s.Active = (s.Active || isNew) && current < s.silentSince+recent
	default:
		s.Active = false
	}
	s.silent = l.verdict == protocol.VerdictUnreachable
	return s
}

// IsActive reports whether the miner with a hotkey was active at the last check.
func (t *Tracker) IsActive(h protocol.Hotkey) bool { return t.known[h].Active }

// Active returns the active miners, ascending by uid: those to evaluate and to select.
func (t *Tracker) Active() []Standing { return t.standings(true) }

// Inactive returns the miners that are not, with the reason and the window since when.
func (t *Tracker) Inactive() []Standing { return t.standings(false) }

func (t *Tracker) standings(active bool) (out []Standing) {
	for _, s := range t.known {
		if s.Active == active {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Standing) int { return cmp.Compare(a.Peer.UID, b.Peer.UID) })
	return out
}
