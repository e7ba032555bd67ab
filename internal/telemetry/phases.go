package telemetry

import "time"

// Phases measures how long a node was in each phase of its loop, from one window to the next. Its
// zero value has seen nothing.
type Phases struct {
	name        string
	from, since time.Time // of the window and of the phase; zero: not known
	spent       map[string]time.Duration
}

// Enter notes that a phase begins.
func (p *Phases) Enter(at time.Time, name string) {
	p.leave(at)
	p.name, p.since = name, at
	if p.from.IsZero() {
		p.from = at
	}
}

func (p *Phases) leave(at time.Time) {
	if p.name == "" {
		return
	}
	if p.spent == nil {
		p.spent = map[string]time.Duration{}
	}
	p.spent[p.name] += max(0, at.Sub(p.since)) // a clock may be set back
}

// Next ends a window: it returns the time spent in each phase of it, and in all. What follows belongs to the next window.
func (p *Phases) Next(at time.Time) (spent map[string]time.Duration, total time.Duration) {
	p.leave(at)
	spent = p.spent
	if !p.from.IsZero() {
		total = max(0, at.Sub(p.from))
	}
	p.from, p.since, p.spent = at, at, nil
	return spent, total
}
