package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// record holds what the nodes have logged about each window, and the contradictions.
type record struct {
	mu struct {
		sync.Mutex
		states     map[uint64]claim // hash of the parameters after a window
		aggregates map[uint64]claim // hash of a window's Aggregate
		filled     map[uint64]bool  // whether an Aggregate has gradients
		window     map[string]uint64
		news       map[string]time.Time
		applied    int // log lines of applied windows
		warnings   map[string]int
		faults     []error
	}
}

// claim is a hash and the first node that logged it.
type claim struct{ by, hash string }

func newRecord() *record {
	r := &record{}
	r.mu.states, r.mu.aggregates = make(map[uint64]claim), make(map[uint64]claim)
	r.mu.window, r.mu.news = make(map[string]uint64), make(map[string]time.Time)
	r.mu.warnings, r.mu.filled = make(map[string]int), make(map[uint64]bool)
	return r
}

// line takes one line of a node's log.
func (r *record) line(by string, b []byte) {
	var l struct {
		Msg, Level, State, Aggregate, Included string
		Window                                 uint64
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := json.Unmarshal(b, &l); err != nil {
		if len(b) > 0 && !strings.HasPrefix(string(b), "templar: ") {
			r.mu.faults = append(r.mu.faults, fmt.Errorf("%s: %q is no JSON record", by, b))
		}
		return
	}
	if l.Level == "WARN" || l.Level == "ERROR" {
		r.mu.warnings[l.Level+" "+l.Msg]++
	}
	if l.Msg != "applied" && l.Msg != "published" {
		return
	}
	r.claim(r.mu.aggregates, "aggregate", by, l.Window, l.Aggregate)
	if l.Included != "" {
		r.mu.filled[l.Window] = true
	}
	if l.Msg == "applied" {
		r.mu.applied++
		r.claim(r.mu.states, "state", by, l.Window, l.State)
	}
	if l.Window > r.mu.window[by] || r.mu.news[by].IsZero() {
		r.mu.window[by], r.mu.news[by] = l.Window, time.Now()
	}
}

func (r *record) claim(all map[uint64]claim, what, by string, w uint64, hash string) {
	first, ok := all[w]
	if !ok {
		all[w] = claim{by, hash}
		return
	}
	if first.hash != hash {
		r.mu.faults = append(r.mu.faults, fmt.Errorf("window %d: %s is %s for %s and %s for %s", w, what, first.hash, first.by, hash, by))
	}
}

func (r *record) fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.mu.faults...)
}

// newest is the newest window that any node has applied.
func (r *record) newest() (w uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at := range r.mu.states {
		w = max(w, at)
	}
	return w
}

func (r *record) windowOf(name string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.window[name]
}

func (r *record) lastNews(name string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.news[name]
}

// summary describes the outcome.
func (r *record) summary(n *network) string {
	var b strings.Builder
	for _, p := range n.processes {
		p.mu.Lock()
		fmt.Fprintf(&b, "%-14s killed %3d times, exited %d times", p.name, p.mu.kills, p.mu.exits)
		p.mu.Unlock()
		if p.role() {
			fmt.Fprintf(&b, ", at window %d", r.windowOf(p.name))
		}
		b.WriteByte('\n')
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&b, "%d windows with one state each, logged %d times; %d Aggregates, %d of them with gradients\n", len(r.mu.states), r.mu.applied, len(r.mu.aggregates), len(r.mu.filled))
	for msg, n := range r.mu.warnings {
		fmt.Fprintf(&b, "%6d x %s\n", n, msg)
	}
	fmt.Fprintf(&b, "%d faults", len(r.mu.faults))
	return b.String()
}
