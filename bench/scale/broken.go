//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"templar/internal/store"
)

// breaker is the aggregator's way to its bucket: it counts what is sent, and breaks, once, the connection over which a certain
// byte comes.
type breaker struct {
	net.Listener
	to     string
	at     int64
	sent   atomic.Int64
	broken atomic.Bool
}

// throughBreaker is the aggregator bucket by way of a breaker that breaks at that many bytes.
func (n *node) throughBreaker(ctx context.Context, at int64) (*breaker, store.Bucket, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	b := &breaker{Listener: l, to: n.Endpoints[n.Server][len("http://"):], at: at}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the role has ended
			}
			go b.forward(c)
		}
	}()
	bucket, err := n.site.BucketAt("http://"+l.Addr().String(), "aggregator")
	return b, bucket, err
}

// forward connects a connection with the server.
func (b *breaker) forward(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", b.to)
	if err != nil {
		return
	}
	defer server.Close()
	for _, c := range []net.Conn{c, server} { // what waits in the kernel has not passed the link
		_, _ = c.(*net.TCPConn).SetReadBuffer(1<<18), c.(*net.TCPConn).SetWriteBuffer(1<<18)
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(passing{server, b}, c)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(c, server)
	c.Close()
	up.Wait()
}

// passing is the server's side of a connection.
type passing struct {
	net.Conn
	b *breaker
}

func (c passing) Write(p []byte) (int, error) {
	if c.b.sent.Add(int64(len(p))) >= c.b.at && c.b.broken.CompareAndSwap(false, true) {
		c.Conn.Close()
		return 0, errors.New("broken")
	}
	return c.Conn.Write(p)
}
