package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections bounds how many a server has open. When there is one too many, one of strangers
// (who have not sent a request with a good signature) makes room, the oldest of the address that
// has most; else one of known clients that is idle; else the new one. So strangers can neither
// keep others out nor hang up on them.
type connections struct {
	max int
	mu  struct {
		sync.Mutex
		open map[net.Conn]*connection
	}
}

type connection struct {
	since time.Time
	host  string // of the other end
	known bool
	idle  bool
}

func newConnections(n int) *connections {
	c := &connections{max: n}
	c.mu.open = map[net.Conn]*connection{}
	return c
}

// changed is an http.Server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
		if err != nil {
			host = conn.RemoteAddr().String()
		}
		if len(c.mu.open) >= c.max {
			c.makeRoom(conn)
		}
		c.mu.open[conn] = &connection{since: time.Now(), host: host}
	case http.StateActive, http.StateIdle:
		if o := c.mu.open[conn]; o != nil {
			o.idle = state == http.StateIdle
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.mu.open, conn)
	}
}

// makeRoom hangs up on somebody.
func (c *connections) makeRoom(newest net.Conn) {
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

// sooner tells which of two goes first.
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

// remember is an http.Server's ConnContext: requests find their connection.
func (c *connections) remember(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// know is called with a request whose signature is good.
func (c *connections) know(ctx context.Context) {
	conn, _ := ctx.Value(connectionKey{}).(net.Conn)
	if conn == nil { // not our own http.Server
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.mu.open[conn]; o != nil {
		o.known = true
	}
}
