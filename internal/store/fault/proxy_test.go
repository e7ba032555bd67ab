package fault_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// wire faults: what can befall one TCP connection.
type wireFault struct {
	refuse  bool          // reset as soon as it is accepted
	latency time.Duration // before the first byte each way
	up      wireCut       // on the way to the server
	down    wireCut       // on the way to the client
}

// wireCut happens after a number of bytes; how says what: "" nothing.
type wireCut struct {
	after int64
	how   string // "fin", "rst", "stall" or "flip"
}

// proxy passes TCP connections on to a server and asks plan what to do to each.
type proxy struct {
	listener net.Listener
	upstream string
	plan     func(conn int) wireFault // conn counts from 1
	running  sync.WaitGroup

	mu struct {
		sync.Mutex
		open map[net.Conn]bool
	}
}

func newProxy(t *testing.T, upstream string, plan func(conn int) wireFault) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, upstream: upstream, plan: plan}
	p.mu.open = make(map[net.Conn]bool)
	p.running.Go(p.accept)
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

// close ends all connections and returns when nothing runs any more.
func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for c := range p.mu.open {
		c.Close()
	}
	p.mu.open = nil
	p.mu.Unlock()
	p.running.Wait()
}

func (p *proxy) accept() {
	for n := 1; ; n++ {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(c.(*net.TCPConn), p.plan(n)) })
	}
}

// own closes c with the proxy; false means that the proxy is closed already.
func (p *proxy) own(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.open == nil {
		c.Close()
		return false
	}
	p.mu.open[c] = true
	return true
}

func (p *proxy) serve(client *net.TCPConn, f wireFault) {
	defer client.Close()
	if f.refuse {
		client.SetLinger(0)
		return
	}
	c, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	server := c.(*net.TCPConn)
	defer server.Close()
	if !p.own(client) || !p.own(server) {
		return
	}
	var both sync.WaitGroup
	end := func(how string) {
		if how == "rst" {
			client.SetLinger(0)
			server.SetLinger(0)
		}
		client.Close()
		server.Close()
	}
	both.Go(func() { pump(server, client, f.latency, f.up, end) })
	both.Go(func() { pump(client, server, f.latency, f.down, end) })
	both.Wait()
}

// pump copies one way until either side ends, or the cut.
func pump(dst, src *net.TCPConn, latency time.Duration, c wireCut, end func(how string)) {
	buf := make([]byte, 32<<10)
	for at := int64(0); ; {
		n, err := src.Read(buf)
		if at == 0 {
			time.Sleep(latency) // of the network, on the wall clock
		}
		b, reached := buf[:n], c.how != "" && at <= c.after && c.after < at+int64(n)
		switch {
		case reached && c.how == "flip":
			b[c.after-at] ^= 1
		case reached:
			b = b[:c.after-at]
		}
		if _, werr := dst.Write(b); werr != nil {
			end("fin")
			return
		}
		if reached && c.how == "stall" {
			io.Copy(io.Discard, src) // until a side gives up
		}
		if reached && c.how != "flip" {
			end(c.how)
			return
		}
		if err != nil {
			dst.CloseWrite()
			return
		}
		at += int64(n)
	}
}
