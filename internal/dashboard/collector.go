package dashboard

import (
	"sync"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

// Meta is what is known of a run before its first event.
type Meta struct {
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
	// Nodes lists who takes part, so that they are shown before their first event.
	Nodes []Node
}

// Node is one participant.
type Node struct {
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
		earlier *Report
	}
}

var _ telemetry.Sink = (*Collector)(nil)

// NewCollector returns a Collector that has seen nothing.
func NewCollector(meta Meta) *Collector {
	c := &Collector{meta: meta}
	c.mu.books = newBooks(meta.Nodes)
	c.mu.board = newBoard(meta.Nodes)
	return c
}

// Resume makes the collector go on from the report of an earlier process of the
// same run: Report and State then tell of the whole run.
func (c *Collector) Resume(earlier Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.earlier = &earlier
}

// Emit takes one event.
func (c *Collector) Emit(e telemetry.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.books.record(e)
	c.mu.board.record(e, &c.mu.books)
}

// Report returns what is known so far; the caller owns it.
func (c *Collector) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report()
}

func (c *Collector) report() Report {
	r := c.mu.books.report()
	r.Preset, r.Seed, r.Corpus = c.meta.Preset, c.meta.Seed, c.meta.Corpus
	r.TokenUnit, r.UnigramEntropy = c.meta.unit(), Number(c.meta.UnigramEntropy)
	if c.mu.earlier != nil {
		r = r.Merge(*c.mu.earlier)
	}
	return r
}

func (m Meta) unit() string {
	if m.TokenUnit == "" {
		return "token"
	}
	return m.TokenUnit
}
