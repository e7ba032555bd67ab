package collect

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

// Meta is what is known of a run before its first event.
type Meta struct {
	Title  string // of the view; empty: "templar localnet"
	Preset string
	Seed   uint64
	// Windows is how many windows the whole run has, from its start window on; 0
	// means that it has no end.
	Windows         int
	Corpus          string
	TokenUnit       string  // what a token is: "byte" or "token"
	UnigramEntropy  float64 // of the corpus, nats a token; NaN when not known
	BlocksPerWindow uint64
	BlockTime       time.Duration
	DataDir         string
	// Cores are those of the machine, if all nodes share one; 0: not known.
	Cores int
	// Nodes lists the members, so that they are shown before their first event.
	Nodes []Member
}

// Member is a node that takes part.
type Member struct {
	Name   string
	Role   telemetry.Role
	UID    protocol.UID
	Hotkey protocol.Hotkey
}

// Collector gathers the events of a whole network. It is for concurrent use, and
// what it reports depends on the events and their times alone.
type Collector struct {
	meta Meta
	mu   struct {
		sync.Mutex
		books   books
		board   board
		earlier *Summary
	}
}

var _ telemetry.Sink = (*Collector)(nil)

// NewCollector returns a Collector that has seen nothing.
func NewCollector(meta Meta) *Collector {
	c := &Collector{meta: meta}
	c.mu.books = newBooks(meta.Nodes)
	c.mu.books.usage.cores = meta.Cores
	c.mu.board = newBoard(meta.Nodes)
	return c
}

// Resume makes the collector go on from the report of an earlier process of the
// same run: Summary and State then cover the whole run.
func (c *Collector) Resume(earlier Summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.earlier = &earlier
}

// Emit takes one event.
func (c *Collector) Emit(e telemetry.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.books.see(e.Time)
	c.mu.books.usage.see(e)
	e.Visit(recorder{&c.mu.books, &c.mu.board})
}

// Summary returns what is known so far; the caller owns it.
func (c *Collector) Summary() Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.summary(0)
}

func (c *Collector) summary(from protocol.Window) Summary {
	r := c.mu.books.summarize(from)
	r.Preset, r.Seed, r.Corpus = c.meta.Preset, c.meta.Seed, c.meta.Corpus
	r.TokenUnit, r.UnigramEntropy = c.meta.Unit(), Measure(c.meta.UnigramEntropy)
	if c.mu.earlier != nil {
		earlier := *c.mu.earlier
		i, _ := slices.BinarySearchFunc(earlier.Windows, from, func(w Window, from protocol.Window) int { return cmp.Compare(w.Window, from) })
		earlier.Windows = earlier.Windows[i:]
		r = r.Merge(earlier)
	}
	return r
}

// Unit is what a token is.
func (m Meta) Unit() string {
	if m.TokenUnit == "" {
		return "token"
	}
	return m.TokenUnit
}
