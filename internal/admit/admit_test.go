package admit

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestClient(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "::ffff:192.0.2.1", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, remote, forwarded, host string
		proxies                       Proxies
		local                         bool
	}{
		{"IPv4", "203.0.113.9:5", "", "203.0.113.9", nil, false},
		{"IPv4 in IPv6", "[::ffff:203.0.113.9]:5", "", "203.0.113.9", nil, false},
		{"a whole prefix is one host", "[2001:db8:1:2:aaaa::1]:5", "", "2001:db8:1:2::/64", nil, false},
		{"with a zone", "[fe80::1%eth0]:5", "", "fe80::/64", nil, false},
		{"this machine", "127.0.0.1:5", "", "127.0.0.1", nil, true},
		{"a stranger's word is not believed", "203.0.113.9:5", "198.51.100.1", "203.0.113.9", proxies, false},
		{"this machine's neither, unless listed", "127.0.0.1:5", "198.51.100.1", "127.0.0.1", nil, true},
		{"a proxy's word", "10.1.2.3:5", "198.51.100.1", "198.51.100.1", proxies, false},
		{"a proxy of this machine", "127.0.0.1:5", "198.51.100.1", "198.51.100.1", proxies, false},
		{"not what the client said to the proxy", "10.1.2.3:5", "1.1.1.1, 198.51.100.1", "198.51.100.1", proxies, false},
		{"through two proxies", "10.1.2.3:5", "1.1.1.1, 198.51.100.1, 192.0.2.1", "198.51.100.1", proxies, false},
		{"not an address", "10.1.2.3:5", "unknown", "10.1.2.3", proxies, false},
		{"a prefix behind a proxy", "10.1.2.3:5", "2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64", proxies, false},
		{"with a port", "10.1.2.3:5", "198.51.100.1:80", "198.51.100.1", proxies, false},
	} {
		h := http.Header{}
		if c.forwarded != "" {
			h.Set("X-Forwarded-For", c.forwarded)
		}
		if host, local := c.proxies.Client(c.remote, h); host != c.host || local != c.local {
			t.Errorf("%s: %s, %v, want %s, %v", c.name, host, local, c.host, c.local)
		}
	}
	if _, err := ParseProxies([]string{"proxy.example"}); err == nil {
		t.Error("a name was taken for an address")
	}
}

func TestRates(t *testing.T) {
	r := NewRates(10, 20)
	now := time.Unix(0, 0)
	r.now = func() time.Time { return now }
	for i := range 20 {
		if _, ok := r.Allow("a", 1); !ok {
			t.Fatalf("request %d of the burst was refused", i)
		}
	}
	after, ok := r.Allow("a", 1)
	if ok || after != 100*time.Millisecond {
		t.Errorf("one over the burst: %v, %v", after, ok)
	}
	if _, ok := r.Allow("b", 1); !ok {
		t.Error("another host pays for it")
	}
	now = now.Add(after)
	if _, ok := r.Allow("a", 1); !ok {
		t.Error("refused when it was due")
	}
	for i := range maxHosts + 10 { // memory is bounded
		r.Allow(fmt.Sprint(i), 20)
	}
	if n := len(r.mu.hosts); n > maxHosts {
		t.Errorf("%d hosts are remembered", n)
	}
}

func TestCounts(t *testing.T) {
	c := NewCounts(8)
	for range 2 {
		if _, ok := c.Take("a", false); !ok {
			t.Fatal("refused too early")
		}
	}
	if _, ok := c.Take("a", false); ok {
		t.Error("a host has more than a quarter")
	}
	var leave func()
	for range 6 {
		var ok bool
		if leave, ok = c.Take("local", true); !ok {
			t.Fatal("this machine has the bound of a host")
		}
	}
	if _, ok := c.Take("b", true); ok {
		t.Error("more than all")
	}
	leave()
	if _, ok := c.Take("b", false); !ok {
		t.Error("no node left")
	}
}

// pipe is a connection from an address.
type pipe struct {
	net.Conn
	from   string
	closed bool
}

func (p *pipe) RemoteAddr() net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", p.from)
	return a
}

func (p *pipe) Close() error { p.closed = true; return nil }

// A flood makes room at its own cost, whatever addresses of its prefix it comes from.
func TestFloodMakesRoomAtItsOwnCost(t *testing.T) {
	c := NewConnections(50)
	open := func(from string) *pipe {
		p := &pipe{from: from}
		c.Changed(p, http.StateNew)
		return p
	}
	busy := open("198.51.100.7:1")
	c.Know(c.Remember(t.Context(), busy), true)
	c.Changed(busy, http.StateActive)
	quiet := open("198.51.100.8:1")
	for i := range 1000 {
		open(fmt.Sprintf("[2001:db8:1:2::%x]:1", i+1))
	}
	if busy.closed || quiet.closed {
		t.Errorf("closed connections of others: busy %v, quiet %v", busy.closed, quiet.closed)
	}
	if c.Len() != 50 {
		t.Errorf("%d connections", c.Len())
	}
	if late := open("198.51.100.9:1"); late.closed {
		t.Error("a newcomer found no room")
	}
}

// Connections share a rate equally: one that asks little does not wait for those that ask much.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConnections(1000)
		var contexts []context.Context
		for i := range 101 {
			p := &pipe{from: fmt.Sprintf("127.0.0.1:%d", i+1)}
			c.Changed(p, http.StateNew)
			contexts = append(contexts, c.Remember(t.Context(), p))
		}
		const total = 1010 // ten a second for each
		begun, served := time.Now(), 0
		done := make(chan int)
		for _, ctx := range contexts[1:] {
			go func() {
				n := 0
				for time.Since(begun) < 10*time.Second && c.Pace(ctx, total) == nil {
					n++
				}
				done <- n
			}()
		}
		for time.Since(begun) < 10*time.Second {
			at := time.Now()
			if c.Pace(contexts[0], total) != nil || time.Since(at) > 0 {
				t.Errorf("a quiet connection waited for %v", time.Since(at))
			}
			time.Sleep(200 * time.Millisecond)
		}
		for range contexts[1:] {
			served += <-done
		}
		if most := 100 * (10*10 + maxTokens + 2); served > most {
			t.Errorf("the flood made %d requests in 10 s, at most %d are its share", served, most)
		}
	})
}

// A busy connection does not wait for others that ask little, however many they are: shares count when all together ask for too much.
func TestPaceLeavesNothingUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConnections(1000)
		var contexts []context.Context
		for i := range 501 {
			p := &pipe{from: fmt.Sprintf("127.0.0.1:%d", i+1)}
			c.Changed(p, http.StateNew)
			contexts = append(contexts, c.Remember(t.Context(), p))
		}
		begun := time.Now()
		for i := range 4000 { // 800 requests a second, half of them of one connection
			if c.Pace(contexts[0], 1000) != nil || c.Pace(contexts[1+i%500], 1000) != nil {
				t.Fatal("broken off")
			}
			time.Sleep(2500 * time.Microsecond)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %v, and 10 s without a wait", took)
		}
	})
}

// Connections that only stay open have no share of the rate.
func TestOpenConnectionsTakeNoShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConnections(1000)
		for i := range 900 {
			c.Changed(&pipe{from: fmt.Sprintf("127.0.0.1:%d", i+1)}, http.StateNew)
		}
		p := &pipe{from: "127.0.0.1:1000"}
		c.Changed(p, http.StateNew)
		ctx, begun, n := c.Remember(t.Context(), p), time.Now(), 0
		for time.Since(begun) < 10*time.Second && c.Pace(ctx, 100) == nil {
			n++
		}
		if n < 900 {
			t.Errorf("%d requests in 10 s beside connections that ask nothing, want some 1000", n)
		}
	})
}

func TestThrottle(t *testing.T) {
	th := NewThrottle(100, 10)
	now := time.Unix(1000, 0)
	for i := range 11 {
		if w := th.reserve(now); w > 0 {
			t.Fatalf("refusal %d of a burst waits %v", i, w)
		}
	}
	for range 1000 {
		if w := th.reserve(now); w <= 0 || w > longestDelay {
			t.Fatalf("over the burst: %v", w)
		}
	}
	if w := th.reserve(now.Add(3 * time.Second)); w > 0 {
		t.Errorf("after a quiet time: %v", w)
	}
}
