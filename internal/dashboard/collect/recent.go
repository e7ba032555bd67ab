package collect

import (
	"maps"
	"slices"

	"templar/internal/score"
	"templar/protocol"
)

// keptScores is how many windows of a miner's scores are kept.
const keptScores = 48

// Scored is a validator's line on a miner in one window.
type Scored struct {
	Window protocol.Window `json:"window"`
	score.Line
	Notes []string `json:"notes"` // the line's reasons as sentences
}

// Recent is Summary of the last n windows only: its cost does not grow with the run. Sums, such as
// tokens, are of the whole run.
func (c *Collector) Recent(n int) Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := slices.Collect(maps.Keys(c.mu.books.windows))
	if c.mu.earlier != nil {
		for _, w := range c.mu.earlier.Windows {
			known = append(known, w.Window)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	from := protocol.Window(0)
	if len(known) > n {
		from = known[len(known)-n]
	}
	return c.summary(from)
}

// Scores returns the last lines on a miner, oldest first, of the validator whose scores Summary
// shows.
func (c *Collector) Scores(uid protocol.UID) []Scored {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.mu.books.validators[c.mu.books.reference()]
	if v == nil {
		return []Scored{}
	}
	out := make([]Scored, 0, keptScores)
	all := v.history[uid]
	for _, l := range all {
		if l.Hotkey == all[len(all)-1].Hotkey { // an earlier owner of the uid is another miner
			out = append(out, Scored{l.window, l.Line, l.Line.Notes()})
		}
	}
	return out
}

// scoredLine is a line in a validator's history.
type scoredLine struct {
	window protocol.Window
	score.Line
}

// remember appends a line to a miner's history.
func (v *validatorBook) remember(w protocol.Window, l score.Line) {
	h := v.history[l.UID]
	if len(h) >= keptScores {
		h = append(h[:0], h[len(h)-keptScores+1:]...)
	}
	v.history[l.UID] = append(h, scoredLine{w, l})
}
