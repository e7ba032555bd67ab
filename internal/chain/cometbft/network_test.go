package cometbft_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/chain/ledger/ledgertest"
	"templar/protocol"
)

// soak is how long authorities are killed one after the other: go test -soak 2m.
var soak = flag.Duration("soak", time.Second, "how long authorities are killed")

const (
	authorities     = 4
	networkInterval = 50 * time.Millisecond
)

// network is authorities in processes of their own.
type network struct {
	t      *testing.T
	homes  []string
	listen []string
	mu     struct {
		sync.Mutex
		nodes []*child
	}
}

func startNetwork(t *testing.T, g ledger.Genesis, size int) *network {
	t.Helper()
	n := &network{t: t}
	for i := range size {
		n.homes = append(n.homes, filepath.Join(t.TempDir(), fmt.Sprint("authority", i)))
		n.listen = append(n.listen, freeAddress(t))
	}
	if err := cometbft.InitNetwork(n.homes, n.listen, 0, g); err != nil {
		t.Fatal(err)
	}
	n.mu.nodes = make([]*child, size)
	for i := range size {
		n.start(i)
	}
	return n
}

// freeAddress is one that no connection and no listener on port 0 takes from a node that is
// away: systems give those ports above 32767.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

func (n *network) start(i int) {
	c := startChild(n.t, n.homes[i], childConfig{Interval: networkInterval})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.nodes[i] = c
}

func (n *network) kill(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.nodes[i].kill()
}

func (n *network) endpoint(i int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.nodes[i].endpoint
}

func (n *network) head(i int) chain.Block {
	n.t.Helper()
	b, err := dial(n.t, n.endpoint(i)).Head(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return b
}

// reaches waits until a node has a block.
func (n *network) reaches(i int, block uint64) chain.Block {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 3*time.Minute)
	defer cancel()
	b, err := dial(n.t, n.endpoint(i)).Wait(ctx, block)
	if err != nil {
		n.t.Fatal(err)
	}
	return b
}

// load gives stake, 1 at a time, through whatever node it finds.
type load struct {
	network      *network
	acknowledged atomic.Uint64
	open         atomic.Uint64 // outcomes that the client could not learn
	receiver     protocol.Hotkey
}

func (l *load) run(ctx context.Context, s protocol.Signer) {
	for at := rand.IntN(authorities); ctx.Err() == nil; at = (at + 1) % authorities {
		l.submit(ctx, s, l.network.endpoint(at))
	}
}

// submit goes on with one node until a call fails.
func (l *load) submit(ctx context.Context, s protocol.Signer, endpoint string) {
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := cometbft.Dial(short, cometbft.Opts{Endpoint: endpoint})
	if err != nil {
		return
	}
	defer c.Close()
	for ctx.Err() == nil {
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		r, err := c.Admin().Stake(short, s, l.receiver, 1)
		cancel()
		if err != nil {
			l.open.Add(1)
			return
		}
		if r.Status == chain.StatusIncluded {
			l.acknowledged.Add(1)
		}
	}
}

// One of four authorities may be killed again and again: blocks go on, no acknowledged
// call is lost, none takes effect twice, and all agree. With two gone the chain stands
// still, and goes on when one returns.
func TestFourAuthorities(t *testing.T) {
	t.Parallel()
	g, _ := ledgertest.Genesis(t)
	g.Authorities = nil
	for i := range uint64(authorities) {
		g.Authorities = append(g.Authorities, chaintest.Key(t, 20+i).Hotkey())
		g.Founders = append(g.Founders, ledger.Founder{Hotkey: chaintest.Key(t, 30+i).Hotkey()})
	}
	n := startNetwork(t, g, authorities)
	for i := range authorities {
		n.reaches(i, 2)
	}
	loads := n.killOneByOne()
	n.checkAgreement(loads)
	n.loseTwo()
}

func (n *network) killOneByOne() []*load {
	ctx, cancel := context.WithCancel(n.t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var loads []*load
	for i := range uint64(authorities) {
		s := chaintest.Key(n.t, 20+i)
		l := &load{network: n, receiver: chaintest.Key(n.t, 30+i).Hotkey()}
		loads = append(loads, l)
		wg.Go(func() { l.run(ctx, s) })
	}
	begin, first, kills := time.Now(), n.head(0).Number, 0
	rng := rand.New(rand.NewPCG(1, 2))
	for time.Since(begin) < *soak {
		i := rng.IntN(authorities)
		n.kill(i)
		kills++
		other := (i + 1) % authorities
		at := n.head(other).Number
		n.reaches(other, at+2+rng.Uint64N(4)) // blocks go on without it
		n.start(i)
		n.reaches(i, n.head(other).Number+1) // and it comes along again
	}
	blocks := n.head(0).Number - first
	n.t.Logf("%d kills in %v: %d blocks, one in %v", kills, time.Since(begin).Round(time.Second), blocks, (time.Since(begin) / time.Duration(blocks)).Round(time.Millisecond))
	return loads
}

func (n *network) checkAgreement(loads []*load) {
	last := n.head(0)
	n.reaches(0, last.Number+2) // what was under way is decided
	last = n.head(0)
	for i := range authorities {
		if b := n.reaches(i, last.Number); b != last {
			n.t.Errorf("node %d has %+v, node 0 %+v", i, b, last)
		}
	}
	m, err := dial(n.t, n.endpoint(1)).Metagraph(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	for _, l := range loads {
		neuron, _ := m.ByHotkey(l.receiver)
		acknowledged, open := l.acknowledged.Load(), l.open.Load()
		if neuron.Stake < acknowledged || neuron.Stake > acknowledged+open {
			n.t.Errorf("stake %d after %d acknowledged calls of 1 and %d of unknown outcome", neuron.Stake, acknowledged, open)
		}
		n.t.Logf("%d calls acknowledged, %d open, %d in effect", acknowledged, open, neuron.Stake)
	}
}

func (n *network) loseTwo() {
	n.kill(2)
	n.kill(3)
	c := dial(n.t, n.endpoint(0))
	last := max(n.head(0).Number, n.head(1).Number) // either may be behind
	ctx, cancel := context.WithTimeout(n.t.Context(), 2*time.Second)
	defer cancel()
	if b, err := c.Wait(ctx, last+2); err == nil { // what was decided already may come
		n.t.Errorf("two of four authorities made block %d", b.Number)
	}
	n.submitWhileStalled(c, 500*time.Millisecond)
	n.start(3)
	n.reaches(0, last+6)
	if b := n.reaches(3, last+6); b != n.reaches(0, last+6) {
		n.t.Errorf("node 3 has %+v", b)
	}
	s, err := c.Admin().Status(n.t.Context())
	if err != nil || s.Authorities != authorities || !s.Authority || s.Peers == 0 {
		n.t.Errorf("status %+v, %v", s, err)
	}
}

// submitWhileStalled: a call to a stalled chain ends with its context and reports until when its
// outcome is open; the node reports that it is unhealthy.
func (n *network) submitWhileStalled(c *cometbft.Client, patience time.Duration) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	_, err := c.Commit(ctx, chaintest.Key(n.t, 1), []byte("stalled"))
	if err == nil || !strings.Contains(err.Error(), "open until block") {
		if err != nil && patience < 30*time.Second { // too short a time to send it on this machine
			n.submitWhileStalled(c, 8*patience)
			return
		}
		n.t.Errorf("submitted to a chain that stands still: %v", err)
	}
	if *soak < 30*time.Second {
		return // a stall is one only after 10 seconds
	}
	within(n.t, 20*time.Second, "the node to notice", func() bool {
		s, err := c.Admin().Status(n.t.Context())
		return err == nil && s.Stalled && s.Fault() != nil
	})
}

// A node that joins when the first blocks are long gone begins with a snapshot.
func TestLateJoiner(t *testing.T) {
	t.Parallel()
	g, _ := ledgertest.Genesis(t)
	n := startNetwork(t, g, 1)
	n.reaches(0, 2)
	r, err := dial(t, n.endpoint(0)).Commit(t.Context(), chaintest.Key(t, 1), []byte("early"))
	if err != nil || r.Status != chain.StatusIncluded {
		t.Fatal(r, err)
	}
	n.reaches(0, snapshotEvery+3)
	home := filepath.Join(t.TempDir(), "late")
	n.join(home)
	late := startChild(t, home, childConfig{Interval: networkInterval, Sync: []string{n.endpoint(0)}})
	c := dialVerified(t, late.endpoint, home)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if _, err := c.Wait(ctx, n.head(0).Number+3); err != nil {
		t.Fatal(err)
	}
	all, err := c.Commitments(ctx)
	if err != nil || len(all) != 1 || string(all[0].Data) != "early" {
		t.Errorf("commitments %+v, %v", all, err)
	}
	if b, err := c.Block(ctx, 2); err == nil {
		t.Errorf("it has block %d: it did not begin with a snapshot", b.Number)
	}
}

// A flood of connections to an authority's peer port, of more than CometBFT has places for, does
// not keep another authority out.
func TestPeerPortUnderFlood(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	homes, listen := []string{t.TempDir(), t.TempDir()}, []string{freeAddress(t), freeAddress(t)}
	if err := cometbft.InitNetwork(homes, listen, 0, g); err != nil {
		t.Fatal(err)
	}
	// The first cannot reach the second, which must come in through the port that is flooded.
	edit(t, filepath.Join(homes[0], "config", "network.json"), listen[1], freeAddress(t))
	first := start(t, homes[0], "127.0.0.1:0")
	dial(t, first.Endpoint())
	hold(t, "http://"+listen[0], 300, "")
	second := start(t, homes[1], "127.0.0.1:0")
	c := dial(t, second.Endpoint())
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if _, err := c.Wait(ctx, 3); err != nil {
		t.Error(err)
	}
}

func edit(t *testing.T, file, old, new string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(b, []byte(old), []byte(new)), 0o600); err != nil {
		t.Fatal(err)
	}
}
