// Package testnet runs a whole network in memory for tests: the real roles, codec, wire
// formats and signatures, a tiny real model on the real engine, blocks made on time by a
// driver, and buckets that can be made to fail.
//
// A network lives in a testing/synctest bubble, where the wall clock is virtual: waiting
// costs nothing, computing takes no time, and nothing sleeps for real. Test makes both:
//
//	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
//		net.Start()
//		net.RunWindows(6)
//		net.RequireSameState()
//	})
package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/manual"
	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/harness"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/protocol"
)

// Config describes a network.
type Config struct {
	Miners, Validators int
	Aggregators        int // 0 means one
	// Params changes the run parameters, when set.
	Params func(*protocol.Params)
	// Corpus is the text to learn; without one, a few words in random order.
	Corpus *data.Corpus
	// ShardTokens cuts it into shards of so many tokens; 0 means one.
	ShardTokens int
}

// Network is a network under test. Its nodes are named miner-0, validator-0,
// aggregator-0 and so on; uids go to the validators first, validator-0 leads.
type Network struct {
	t   *testing.T
	ctx context.Context

	Run   run.Run
	Chain *manual.Chain
	Store *mem.Server // objects as they are, without faults

	nodes  []*Node
	faults faults
	log    logBuffer
	events events
	passed uint64 // windows that RunWindows waited for
}

// Test makes a network in a bubble of its own and passes it to f. It stops the nodes
// when f returns.
func Test(t *testing.T, c Config, f func(*Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := build(t, c)
		defer net.close()
		f(net)
	})
}

const endpoint = "http://store.test"

// label names the run. The draws of peers, pages and text depend on it, and so do tests that
// expect a certain draw.
const label = "simnet"

func build(t *testing.T, c Config) *Network {
	t.Helper()
	n := &Network{t: t, ctx: t.Context(), Store: mem.New(time.Now)}
	n.faults.byBucket = make(map[string]Fault)
	for i := range c.Validators {
		n.add(telemetry.Validator, i)
	}
	for i := range c.Miners {
		n.add(telemetry.Miner, i)
	}
	for i := range max(c.Aggregators, 1) {
		n.add(telemetry.Aggregator, i)
	}
	n.create(c)
	return n
}

func (n *Network) add(r telemetry.Role, i int) {
	node := &Node{net: n, Name: fmt.Sprintf("%s-%d", r, i), Role: r, Signer: Key(n.t, uint64(len(n.nodes)))}
	if r != telemetry.Aggregator {
		node.UID = protocol.UID(len(n.nodes))
	}
	private := mem.New(time.Now)
	n.must(private.CreateBucket("state"))
	n.must(private.AddKeys(store.Key{AccessKey: "owner", Secret: "owner", Admin: true}))
	var err error
	node.Local, err = private.Dial(store.Location{Bucket: "state", AccessKey: "owner", Secret: "owner"})
	n.must(err)
	n.nodes = append(n.nodes, node)
}

// Key returns the n-th of a fixed list of hotkeys.
func Key(t testing.TB, n uint64) *wallet.Wallet {
	t.Helper()
	w, err := harness.Key(n)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Location is where a bucket lies, with the key that reads it or the one that writes.
func Location(bucket string, write bool) store.Location {
	return harness.Location(endpoint, bucket, write)
}

func (n *Network) create(c Config) {
	site := harness.Config{
		Params: Params(), Tune: c.Params, Store: n.Store, ShardTokens: c.ShardTokens, Now: time.Now(),
		Text: data.Corpus{Name: "text", Text: harness.Text(label + " text"), Files: 1},
	}
	if c.Corpus != nil {
		site.Text = *c.Corpus
	}
	for _, node := range n.nodes {
		site.Members = append(site.Members, harness.Member{Name: node.Name, Role: node.Role, Hotkey: node.Signer.Hotkey()})
	}
	built, err := harness.Build(n.ctx, site)
	n.must(err)
	n.Run, n.Chain = built.Run, built.Chain
}

// Params are those of the networks, but for the aggregators and the dataset.
func Params() protocol.Params { return harness.Params(label, endpoint) }

// Commit puts a commitment on the chain, in a block of its own.
func (n *Network) Commit(node string, data []byte) {
	n.t.Helper()
	done := make(chan error, 1)
	go func() {
		r, err := n.Chain.Commit(n.ctx, n.Node(node).Signer, data)
		if err == nil && r.Status == chain.StatusFailed {
			err = errors.New(r.Reason)
		}
		done <- err
	}()
	synctest.Wait()
	_, err := n.Chain.Advance(time.Now())
	n.must(err)
	n.must(<-done)
}

// CommitAll puts the buckets of all nodes on the chain, for tests that start no node.
func (n *Network) CommitAll() {
	n.t.Helper()
	for _, node := range n.nodes {
		if node.Role != telemetry.Aggregator {
			data, err := node.Commitment().Encode()
			n.must(err)
			n.Commit(node.Name, data)
		}
	}
}

// Bucket opens a bucket with the right to write, past all faults.
func (n *Network) Bucket(name string) store.Bucket {
	n.t.Helper()
	b, err := n.Store.Dial(Location(name, true))
	n.must(err)
	return b
}

// Upload stores an object past all faults.
func (n *Network) Upload(bucket, key string, body []byte) {
	n.t.Helper()
	n.must(store.PutBytes(n.ctx, n.Bucket(bucket), key, body, store.PutOptions{}))
}

// Object reads an object of a bucket.
func (n *Network) Object(bucket, key string) []byte {
	n.t.Helper()
	b, _, err := store.ReadAll(n.ctx, n.Bucket(bucket), key, -1)
	n.must(err)
	return b
}

// Refreshed returns a node's parts with an up-to-date directory.
func (n *Network) Refreshed(node string) parts.Parts {
	n.t.Helper()
	p := n.Node(node).Parts()
	n.must(p.Directory.Refresh(n.ctx))
	return p
}

// Node finds a node by its name.
func (n *Network) Node(name string) *Node {
	n.t.Helper()
	i := slices.IndexFunc(n.nodes, func(node *Node) bool { return node.Name == name })
	if i < 0 {
		n.t.Fatalf("no node %q", name)
	}
	return n.nodes[i]
}

func (n *Network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// logBuffer keeps the nodes' logs for a test that fails.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Logs returns what the nodes have logged.
func (n *Network) Logs() string { return n.log.String() }

func (n *Network) logger() *slog.Logger { return slog.New(slog.NewTextHandler(&n.log, nil)) }

// clk is the machine's clock, which the bubble makes virtual.
var clk = clock.Wall{}
