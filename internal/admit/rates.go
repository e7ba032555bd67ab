package admit

import (
	"sync"
	"time"
)

// Rates bounds the cost of each host's requests. It is safe for concurrent use.
type Rates struct {
	rate, burst float64
	now         func() time.Time
	mu          struct {
		sync.Mutex
		hosts map[string]bucket
	}
}

type bucket struct {
	tokens float64
	filled time.Time
}

// maxHosts bounds the memory for hosts. When there are more, those that are at rest are
// forgotten, and if none is, all are: the hosts of such a flood cannot be distinguished.
const maxHosts = 1 << 16

// NewRates allows each host so much a second, and burst at once.
func NewRates(rate, burst float64) *Rates {
	r := &Rates{rate: rate, burst: burst, now: time.Now}
	r.mu.hosts = map[string]bucket{}
	return r
}

// Allow takes the cost of a request from what the host may spend. When it may not, after is
// when the host may ask again.
func (r *Rates) Allow(host string, cost float64) (after time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b, have := r.mu.hosts[host]
	if !have {
		r.prune(now)
		b = bucket{r.burst, now}
	}
	b.tokens = min(r.burst, b.tokens+r.rate*now.Sub(b.filled).Seconds())
	b.filled = now
	if ok = b.tokens >= cost; ok {
		b.tokens -= cost
	} else {
		after = time.Duration((cost - b.tokens) / r.rate * float64(time.Second))
	}
	r.mu.hosts[host] = b
	return after, ok
}

func (r *Rates) prune(now time.Time) {
	if len(r.mu.hosts) < maxHosts {
		return
	}
	for host, b := range r.mu.hosts {
		if b.tokens+r.rate*now.Sub(b.filled).Seconds() >= r.burst {
			delete(r.mu.hosts, host)
		}
	}
	if len(r.mu.hosts) >= maxHosts {
		clear(r.mu.hosts)
	}
}

// Counts bounds how many of something each host has at once. It is safe for concurrent use.
type Counts struct {
	max int
	mu  struct {
		sync.Mutex
		all   int
		hosts map[string]int
	}
}

// NewCounts allows n in all, and each host a quarter of them.
func NewCounts(n int) *Counts {
	c := &Counts{max: n}
	c.mu.hosts = map[string]int{}
	return c
}

// Take takes one for a host, unless it or all have what they may. alone exempts the host from
// its own bound. The caller calls leave when ok.
func (c *Counts) Take(host string, alone bool) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.all >= c.max || !alone && c.mu.hosts[host] >= max(1, c.max/4) {
		return nil, false
	}
	c.mu.all++
	c.mu.hosts[host]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.mu.all--
		if c.mu.hosts[host]--; c.mu.hosts[host] == 0 {
			delete(c.mu.hosts, host)
		}
	}, true
}
