package admit

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Connections bounds how many connections a server has open. A connection is known while the
// server says so (Know): in the S3 server, after a request with a good signature. When there is one too many, one that is not
// known makes room: the oldest of the host that has most. If all are known, one that is idle
// does, else the new one. So a flood neither keeps others out nor closes their connections
// while they use them.
type Connections struct {
	max int
	mu  struct {
		sync.Mutex
		open    map[net.Conn]*connection
		askers  int // connections that have asked in askedWithin; counted at counted
		counted time.Time
		spare   float64 // requests that all together may make at once before shares count; at spared
		spared  time.Time
	}
}

type connection struct {
	since time.Time
	host  string // of the other end
	known bool
	idle  bool

	tokens float64   // requests that it may make at once
	filled time.Time // when it last asked, or was opened
	asks   bool      // it has asked
}

// NewConnections returns a bound of n.
func NewConnections(n int) *Connections {
	c := &Connections{max: n}
	c.mu.open = map[net.Conn]*connection{}
	return c
}

// Len is the number of open connections.
func (c *Connections) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.open)
}

// Changed is an http.Server's ConnState.
func (c *Connections) Changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if len(c.mu.open) >= c.max {
			c.makeRoom(conn)
		}
		now := time.Now()
		c.mu.open[conn] = &connection{since: now, host: Host(conn.RemoteAddr().String()), tokens: firstTokens, filled: now}
	case http.StateActive, http.StateIdle:
		if o := c.mu.open[conn]; o != nil {
			o.idle = state == http.StateIdle
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.mu.open, conn)
	}
}

// makeRoom closes a connection.
func (c *Connections) makeRoom(newest net.Conn) {
	strangers := map[string]int{}
	for _, o := range c.mu.open {
		if !o.known {
			strangers[o.host]++
		}
	}
	victim, best := newest, (*connection)(nil)
	for conn, o := range c.mu.open {
		if (!o.known || o.idle) && (best == nil || sooner(o, best, strangers)) {
			victim, best = conn, o
		}
	}
	delete(c.mu.open, victim)
	victim.Close()
}

// sooner reports which of two goes first.
func sooner(a, b *connection, strangers map[string]int) bool {
	switch {
	case a.known != b.known:
		return !a.known
	case !a.known && strangers[a.host] != strangers[b.host]:
		return strangers[a.host] > strangers[b.host]
	}
	return a.since.Before(b.since)
}

type connectionKey struct{}

// Remember is an http.Server's ConnContext: requests find their connection.
func (c *Connections) Remember(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// Know marks the connection of a request.
func (c *Connections) Know(ctx context.Context, known bool) {
	c.with(ctx, func(o *connection) { o.known = known })
}

// with calls do with the connection of a request, if it is one of an http.Server with
// Remember.
func (c *Connections) with(ctx context.Context, do func(*connection)) {
	conn, _ := ctx.Value(connectionKey{}).(net.Conn)
	if conn == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.mu.open[conn]; o != nil {
		do(o)
	}
}

const (
	firstTokens = 8  // requests of a new connection
	maxTokens   = 32 // requests of one that was quiet
	leastRate   = 2  // requests a second that each connection may always make

	askedWithin = 3 * time.Second        // a connection that has asked has a share for so long
	countEvery  = 100 * time.Millisecond // the shares are counted
)

// sharers counts the connections that have asked lately; at least one. The caller holds the lock.
func (c *Connections) sharers(now time.Time) int {
	if now.Sub(c.mu.counted) >= countEvery {
		c.mu.askers, c.mu.counted = 0, now
		for _, o := range c.mu.open {
			if o.asks && now.Sub(o.filled) < askedWithin {
				c.mu.askers++
			}
		}
	}
	return max(1, c.mu.askers)
}

// room takes a request from what all connections may make together, and reports whether they had any left. The caller
// holds the lock.
func (c *Connections) room(now time.Time, total float64) bool {
	most := total / 2
	c.mu.spare = min(most, c.mu.spare+total*now.Sub(c.mu.spared).Seconds())
	c.mu.spared = now
	has := c.mu.spare >= 1
	c.mu.spare = max(c.mu.spare-1, -most)
	return has
}

// Pace waits until the connection may make another request, such that all together make about
// total a second. While they ask for less, none waits. Otherwise they have equal shares: those that ask for less than theirs do not wait, and those that
// only stay open have none.
func (c *Connections) Pace(ctx context.Context, total float64) error {
	var wait time.Duration
	c.with(ctx, func(o *connection) {
		now := time.Now()
		if !o.asks {
			o.asks = true
			c.mu.askers++ // until they are counted
		}
		rate := max(leastRate, total/float64(c.sharers(now)))
		o.tokens = min(maxTokens, o.tokens+rate*now.Sub(o.filled).Seconds()) - 1
		o.filled = now
		switch room := c.room(now, total); {
		case o.tokens >= 0:
		case room:
			o.tokens = 0
		default:
			wait = time.Duration(-o.tokens / rate * float64(time.Second))
		}
	})
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
