package server

import (
	"context"
	"sync"
	"time"
)

const (
	// maxLine is how long a request waits for a place.
	maxLine = 3 * time.Second
	// maxStall is how long the server waits for a client, in one step of a body, while
	// others wait for its place: at 256 KiB a step, readers keep theirs from 128 KiB/s on.
	maxStall = 2 * time.Second
)

// slots is the room for requests that run at once, until they begin to answer. No key gets all of
// it, keys that cannot write, which are public, leave half of it to those that can, and no host
// gets more than half of what such a key has. When there is no room, a request waits a moment,
// and of those that are in its way one whose body has stalled is cut off: of the key, and then the
// host, that has most.
type slots struct {
	max         int
	line, stall time.Duration
	mu          struct {
		sync.Mutex
		running map[*request]struct{}
		waiting map[*request]struct{}
		stalls  map[string]int // requests of a key that were cut off lately
		since   time.Time      // when stalls was emptied
		freed   chan struct{}  // closed and replaced when one leaves
	}
}

// request is one that runs, or asks to.
type request struct {
	key    string
	reader bool
	host   string
	local  bool // hosts of this machine cannot be distinguished
	client *client
	since  time.Time // when it came
}

// newSlots makes room for n. Neither wait is longer than the patience with clients.
func newSlots(n int, patience time.Duration) *slots {
	s := &slots{max: n, line: min(maxLine, patience), stall: min(maxStall, patience*2/3)}
	s.mu.running, s.mu.waiting, s.mu.freed = map[*request]struct{}{}, map[*request]struct{}{}, make(chan struct{})
	return s
}

// reads reports whether a key can only read.
func reads(k Key) bool {
	reader := !k.Admin
	for _, g := range k.Grants {
		reader = reader && !g.Write
	}
	return reader
}

// enter takes a place. The caller leaves it.
func (s *slots) enter(ctx context.Context, r *request) (leave func(), ok bool) {
	r.since = time.Now()
	patience := time.NewTimer(s.line)
	defer patience.Stop()
	defer s.forget(r)
	for {
		freed, ok := s.take(r)
		if ok {
			return func() { s.leave(r) }, true
		}
		again := time.NewTimer(s.stall / 8)
		select {
		case <-freed:
		case <-again.C:
		case <-patience.C:
			again.Stop()
			return nil, false
		case <-ctx.Done():
			again.Stop()
			return nil, false
		}
		again.Stop()
	}
}

func (s *slots) forget(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.waiting, r)
}

func (s *slots) leave(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.running, r)
	close(s.mu.freed)
	s.mu.freed = make(chan struct{})
}

// take returns a channel to wait on when there is no room.
func (s *slots) take(r *request) (freed <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.waiting[r] = struct{}{}
	t := s.tally()
	if inTheWay := s.full(t, r); inTheWay != nil {
		s.cutOne(t, inTheWay)
		return s.mu.freed, false
	}
	if !s.first(t, r) {
		return s.mu.freed, false
	}
	delete(s.mu.waiting, r)
	s.mu.running[r] = struct{}{}
	return nil, true
}

// tally is how many requests run.
type tally struct {
	all, readers int
	keys         map[string]int
	hosts        map[hostOfKey]int
}

type hostOfKey struct{ key, host string }

func (s *slots) tally() tally {
	t := tally{keys: map[string]int{}, hosts: map[hostOfKey]int{}}
	for o := range s.mu.running {
		t.all++
		if o.reader {
			t.readers++
		}
		t.keys[o.key]++
		t.hosts[hostOfKey{o.key, o.host}]++
	}
	return t
}

// full returns which requests are in the way of another one, nil if there is room for it.
func (s *slots) full(t tally, r *request) (inTheWay func(*request) bool) {
	share := s.max - s.max/4
	if r.reader {
		share = max(1, s.max/4)
	}
	switch {
	case t.all >= s.max:
		return func(*request) bool { return true }
	case t.keys[r.key] >= share:
		return func(o *request) bool { return o.key == r.key }
	case r.reader && t.readers >= s.max-s.max/2:
		return func(o *request) bool { return o.reader }
	case r.reader && !r.local && t.hosts[hostOfKey{r.key, r.host}] >= max(1, share/2):
		return func(o *request) bool { return o.key == r.key && o.host == r.host }
	}
	return nil
}

// first needs the lock. It reports whether no other request that has room should come before:
// one of a key that has less, or had fewer cut off, or else came earlier.
func (s *slots) first(t tally, r *request) bool {
	for o := range s.mu.waiting {
		has, mine := t.keys[o.key]+s.mu.stalls[o.key], t.keys[r.key]+s.mu.stalls[r.key]
		if o != r && (has < mine || has == mine && o.since.Before(r.since)) && s.full(t, o) == nil {
			return false
		}
	}
	return true
}

// cutOne needs the lock. It hangs up on a request that has stalled.
func (s *slots) cutOne(t tally, among func(*request) bool) {
	now := time.Now()
	var victim *request
	worse := func(a, b *request) bool {
		if ka, kb := t.keys[a.key], t.keys[b.key]; ka != kb {
			return ka > kb
		}
		if ha, hb := t.hosts[hostOfKey{a.key, a.host}], t.hosts[hostOfKey{b.key, b.host}]; ha != hb {
			return ha > hb
		}
		return a.client.stalled(now) > b.client.stalled(now)
	}
	for o := range s.mu.running {
		if among(o) && !o.client.cut.Load() && o.client.stalled(now) >= s.stall && (victim == nil || worse(o, victim)) {
			victim = o
		}
	}
	if victim == nil {
		return
	}
	victim.client.hangUpNow()
	if now.Sub(s.mu.since) > time.Minute {
		s.mu.stalls, s.mu.since = map[string]int{}, now
	}
	s.mu.stalls[victim.key]++
}
