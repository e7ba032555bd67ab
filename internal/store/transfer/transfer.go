// Package transfer moves large objects between a file and a bucket: in parts, several at
// once, and so that a later process goes on where a killed one stopped.
//
// What a run needs to go on is kept where it is found again: an upload's parts at the
// store, a download's beside its file. A part is believed by its checksum, never by its
// number, so that neither another content nor a torn write gets into the result. Memory
// does not depend on the size of objects or parts: bodies pass through small buffers.
//
// Requests are tried again as the bucket does it, so hand in one with store.Retry; a body
// that breaks off is asked for again from its last byte. One transfer at a time may work on
// a key of a bucket, or on a file; but several with Options.IfAbsent on a key.
package transfer

import (
	"cmp"
	"context"
	"sync"

	"templar/internal/clock"
	"templar/internal/store"
)

// Defaults of Options.
const (
	DefaultThreads   = 8
	DefaultPartSize  = 16 << 20
	DefaultThreshold = 100 << 20
)

// Options of Upload and Download. Zero fields mean the default.
type Options struct {
	// Threads is how many parts are on their way at once; default 8.
	Threads int
	// PartSize is the size of all parts but the last in bytes; default 16 MiB. Objects
	// that would have more than store.MaxParts of them get larger ones, and no part of
	// an upload is smaller than store.MinPart.
	PartSize int64
	// Threshold is the size in bytes from which on Upload sends parts; default 100 MiB.
	// A smaller object is one Put.
	Threshold int64
	// IfAbsent makes Upload fail with store.ErrExists when the key is taken.
	IfAbsent bool
	// SHA256 is what the whole object must have, if that is known: else ErrCorrupt.
	SHA256 *[32]byte
	// Limit is the largest object that Download takes, in bytes: else store.ErrTooLarge,
	// before anything is fetched. 0 is none: set it for buckets of others.
	Limit int64
	// Progress is told how far it is. Calls do not overlap. May be nil.
	Progress func(Progress)
	// Clock is where waits and concurrency come from; default clock.Wall.
	Clock clock.Clock
}

func (o Options) withDefaults() Options {
	o.Threads = cmp.Or(max(0, o.Threads), DefaultThreads)
	o.PartSize = cmp.Or(max(0, o.PartSize), DefaultPartSize)
	o.Threshold = cmp.Or(max(0, o.Threshold), DefaultThreshold)
	if o.Clock == nil {
		o.Clock = clock.Wall{}
	}
	return o
}

// layout cuts an object into parts.
type layout struct{ size, part int64 }

// layout chooses the part size, which depends on nothing but the object's size and o: a
// run that goes on must find the same one.
func (o Options) layout(size int64) layout {
	const step = 1 << 20
	smallest := (size/store.MaxParts/step + 1) * step
	return layout{size: size, part: max(o.PartSize, smallest)}
}

// count is the number of parts.
func (l layout) count() int {
	if l.size == 0 {
		return 0
	}
	return int((l.size-1)/l.part + 1)
}

// at returns where part i, from 0, begins, and its length.
func (l layout) at(i int) (offset, n int64) {
	offset = int64(i) * l.part
	return offset, min(l.part, l.size-offset)
}

// each calls f for every part, Threads at a time, until one call fails; it returns that
// error.
func (o Options) each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o.Clock.Each(n, o.Threads, func(i int) {
		if ctx.Err() != nil {
			return
		}
		if err := f(ctx, i); err != nil {
			cancel(err)
		}
	})
	return context.Cause(ctx)
}

// Progress of a transfer, in bytes.
type Progress struct {
	Done  int64 // where they belong
	Moved int64 // of these, by this run: an earlier one may have left some
	Total int64
}

// progress adds up what several parts report.
type progress struct {
	report func(Progress)

	mu struct {
		sync.Mutex
		Progress
	}
}

func newProgress(report func(Progress), total int64) *progress {
	p := &progress{report: report}
	p.mu.Total = total
	return p
}

// moved counts bytes that came or went, found those of an earlier run.
func (p *progress) moved(n int64) { p.add(n, n) }
func (p *progress) found(n int64) { p.add(n, 0) }

func (p *progress) add(done, moved int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.Done += done
	p.mu.Moved += moved
	if p.report != nil {
		p.report(p.mu.Progress)
	}
}
