package collect

import (
	"time"

	"templar/internal/telemetry"
)

// usageBook is what the nodes' engines have computed since the run's first window began.
type usageBook struct {
	cores        int       // of the machine that all nodes share; 0: not known
	began, ended time.Time // of the first window's training, and the last publication
	engines      map[string]*engineBook
	closed       telemetry.Usage // of all engines, at ended
}

type engineBook struct {
	at    time.Time       // of the last event
	last  telemetry.Usage // as it said
	sum   telemetry.Usage // since usageBook.began
	ended telemetry.Usage // sum at usageBook.ended
}

// see takes a node's usage. Of an event's usage since the event before, the part that falls
// after began counts.
func (b *usageBook) see(e telemetry.Event) {
	if t, ok := e.Body.(telemetry.Trained); ok && b.began.IsZero() {
		b.began = e.Time.Add(-t.Duration)
	}
	n := b.engines[e.Node]
	if n == nil {
		if e.Usage == (telemetry.Usage{}) {
			return
		}
		n = &engineBook{at: e.Time}
		b.engines[e.Node] = n
	}
	d := n.last.Advance(e.Usage)
	if span, in := e.Time.Sub(n.at), e.Time.Sub(b.began); b.began.IsZero() || in <= 0 {
		d = telemetry.Usage{}
	} else if span > in {
		share := float64(in) / float64(span)
		d.Busy, d.CPU = time.Duration(float64(d.Busy)*share), time.Duration(float64(d.CPU)*share)
	}
	n.sum.Busy, n.sum.CPU = n.sum.Busy+d.Busy, n.sum.CPU+d.CPU
	n.at = e.Time
}

// close ends a window with the publication of its Aggregate, and returns how busy the cores
// and each miner's engine were in it.
func (b *usageBook) close(at time.Time, miners []string) (all Measure, each map[string]Measure) {
	from := b.ended
	if from.IsZero() {
		from = b.began
	}
	if b.began.IsZero() || len(b.engines) == 0 || !at.After(from) {
		return Unknown(), nil
	}
	wall, sum, each := at.Sub(from), telemetry.Usage{}, make(map[string]Measure)
	for _, name := range miners {
		if n := b.engines[name]; n != nil {
			each[name] = share(n.sum.Busy-n.ended.Busy, wall)
		}
	}
	for _, n := range b.engines {
		sum.Busy, sum.CPU = sum.Busy+n.sum.Busy, sum.CPU+n.sum.CPU
		n.ended = n.sum
	}
	all = share(sum.CPU-b.closed.CPU, time.Duration(b.cores)*wall)
	b.ended, b.closed = at, sum
	return all, each
}

// total is how busy the cores were between the first and the last window.
func (b *usageBook) total() (utilisation, seconds Measure) {
	if b.ended.IsZero() {
		return Unknown(), Unknown()
	}
	return share(b.closed.CPU, time.Duration(b.cores)*b.ended.Sub(b.began)), Measure(b.closed.CPU.Seconds())
}

// of is how busy a node's engine was between the first and the last window.
func (b *usageBook) of(node string) (utilisation, seconds Measure) {
	n := b.engines[node]
	if b.ended.IsZero() || n == nil {
		return Unknown(), Unknown()
	}
	return share(n.ended.Busy, b.ended.Sub(b.began)), Measure(n.ended.Busy.Seconds())
}

// share is part / whole, at most 1: a computation counts in the window in which it ends.
func share(part, whole time.Duration) Measure {
	if whole <= 0 {
		return Unknown()
	}
	return Measure(min(1, part.Seconds()/whole.Seconds()))
}

// joined is the utilisation of two parts of a run, from that of each and the seconds that its
// engines computed.
func joined(u, seconds, otherU, otherSeconds Measure) (utilisation, sum Measure) {
	switch {
	case !otherU.Known() || otherU == 0:
		return u, seconds
	case !u.Known() || u == 0:
		return otherU, otherSeconds
	}
	sum = seconds + otherSeconds
	return sum / (seconds/u + otherSeconds/otherU), sum
}
