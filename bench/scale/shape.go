//go:build linux

package main

import (
	"net"
	"sync"
	"time"
)

// shaped is a listener whose connections share a link: so many bits a second in each direction.
type shaped struct {
	net.Listener
	in, out *link
}

func shape(l net.Listener, bits float64) net.Listener {
	return shaped{l, &link{rate: bits}, &link{rate: bits}}
}

// Accept returns a connection that takes its turns on the link.
func (s shaped) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	// Small buffers: what waits in the kernel has not passed the link.
	if tcp, ok := c.(*net.TCPConn); ok {
		_, _ = tcp.SetReadBuffer(1<<18), tcp.SetWriteBuffer(1<<18) // the system's own sizes do as well
	}
	return shapedConn{c, s.in, s.out}, nil
}

// link is one direction.
type link struct {
	rate float64
	mu   sync.Mutex
	free time.Time // when what was sent is through
}

// pass waits until so many bytes are through.
func (l *link) pass(n int) {
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(8 * float64(n) / l.rate * float64(time.Second)))
	wait := l.free.Sub(now)
	l.mu.Unlock()
	time.Sleep(wait)
}

type shapedConn struct {
	net.Conn
	in, out *link
}

// slice is how much a connection passes before it is another one's turn.
const slice = 1 << 16

// Read is shaped after the fact: the sender fills the buffers, and then waits.
func (c shapedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), slice)])
	if n > 0 {
		c.in.pass(n)
	}
	return n, err
}

// Write passes slice after slice.
func (c shapedConn) Write(b []byte) (done int, err error) {
	for done < len(b) && err == nil {
		var n int
		part := b[done:min(len(b), done+slice)]
		c.out.pass(len(part))
		n, err = c.Conn.Write(part)
		done += n
	}
	return done, err
}
