package bittensor_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"templar/internal/chain"
	"templar/internal/chain/bittensor"
	"templar/internal/chain/bittensor/fakenode"
	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/chaintest"
	"templar/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const netuid = 2

func metadata(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("../../../testkit/vectors/subtensor/metadata/" + name + ".scale.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// config is a chain of runtime 461, whose commits of weights are timelocked, or of 218.
func config(t testing.TB, name string) fakenode.Config {
	c := fakenode.Config{
		Metadata: metadata(t, name), Spec: 461, NetUID: netuid, Start: time.Unix(1_800_000_000, 0), Lag: 2, Tempo: 4, Burn: 1000,
		Seed: t.Name(),
	}
	if strings.HasPrefix(name, "218") {
		c.Spec, c.Wrapped = 218, true
		// The runtime was compiled with a limit of one commitment in 100 blocks.
		constant := []byte("RateLimit\x10\x10\x64\x00\x00\x00")
		if bytes.Count(c.Metadata, constant) != 1 {
			t.Fatal("the metadata has no rate limit of commitments, or another one")
		}
		c.Metadata = bytes.Replace(c.Metadata, constant, []byte("RateLimit\x10\x10\x00\x00\x00\x00"), 1)
	}
	return c
}

// key of a fixed list: 1 is the validator.
func key(t testing.TB, n uint64) protocol.Signer { return chaintest.Key(t, n) }

// network is a node with a validator and a miner, and a client of it.
type network struct {
	node   *fakenode.Node
	client *bittensor.Client
	url    string
}

func start(t testing.TB, c fakenode.Config, o bittensor.Opts) network {
	t.Helper()
	n := fakenode.New(c)
	n.Add(key(t, 1).Hotkey(), key(t, 1001).Hotkey(), 1_000_000)
	n.Add(key(t, 2).Hotkey(), key(t, 1002).Hotkey(), 0)
	for range c.Lag + 2 {
		n.Produce()
	}
	url, stop := n.Serve()
	t.Cleanup(stop)
	return network{n, dial(t, o, url), url}
}

func dial(t testing.TB, o bittensor.Opts, urls ...string) *bittensor.Client {
	t.Helper()
	o.Endpoints, o.NetUID = urls, netuid
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := bittensor.Dial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// loop makes blocks by themselves.
func (n network) loop(t testing.TB, each func(i int)) {
	t.Cleanup(n.node.Loop(20*time.Millisecond, each))
}

func TestSuite(t *testing.T) {
	for name, c := range map[string]struct {
		metadata string
		change   func(c *fakenode.Config)
		longest  int
		misses   bool
	}{
		"461 timelocked": {"461-v15", func(c *fakenode.Config) { c.CommitReveal = true }, 512, true},
		"461 plain":      {"461-v14", func(*fakenode.Config) {}, 512, false},
		"218 hashed":     {"218-v14", func(c *fakenode.Config) { c.CommitReveal = true }, 128, false},
		"218 plain":      {"218-v14", func(c *fakenode.Config) { c.Chopsticks = true }, 128, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chaintest.Run(t, func(t *testing.T) chaintest.Subject {
				cfg := config(t, c.metadata)
				cfg.Tempo = 16
				c.change(&cfg)
				n := start(t, cfg, bittensor.Opts{})
				n.loop(t, nil)
				s := chaintest.Subject{
					Chain: n.client, Validator: key(t, 1), MaxCommitment: c.longest, Epoch: cfg.Tempo + 1, ColdkeySigns: true,
					Fund:       func(_ testing.TB, k protocol.Hotkey) { n.node.Fund(k, 10*bittensor.RAO) },
					Reorganise: func(testing.TB) { n.node.Reorganise(2) },
				}
				if c.misses {
					s.MissReveal = func(testing.TB) { n.node.HoldPulses(2 * cfg.Tempo) }
				}
				return s
			})
		})
	}
}

func ctxOf(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestDialRefuses(t *testing.T) {
	cfg := config(t, "461-v15")
	n := fakenode.New(cfg)
	for range 4 {
		n.Produce()
	}
	url, stop := n.Serve()
	defer stop()
	for want, o := range map[string]bittensor.Opts{
		"does not exist":        {Endpoints: []string{url}, NetUID: 77},
		"another chain":         {Endpoints: []string{url}, NetUID: netuid, Genesis: protocol.Hash{1}},
		"connection refused":    {Endpoints: []string{"ws://127.0.0.1:1"}, NetUID: netuid},
		"not a ws:// or wss://": {Endpoints: []string{"http://127.0.0.1:1"}, NetUID: netuid},
		"no endpoint":           {NetUID: netuid},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c, err := bittensor.Dial(ctx, o)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if c != nil {
			c.Close()
		}
	}
}

// Heads come without gap or repeat although notifications are left out, connections are
// cut, and best blocks are replaced all the time.
func TestHeadsThroughFaults(t *testing.T) {
	cfg := config(t, "461-v15")
	n := start(t, cfg, bittensor.Opts{})
	n.loop(t, func(i int) {
		switch {
		case i%11 == 0:
			n.node.CutAll()
			n.node.Produce()
		case i%4 == 0:
			n.node.Reorganise(uint64(1 + i%2))
		case i%7 == 0:
			n.node.Skip(3)
			n.node.Produce()
		default:
			n.node.Produce()
		}
	})
	ctx := ctxOf(t, time.Minute)
	last, err := n.client.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		b, err := n.client.Wait(ctx, last.Number+1)
		if err != nil || b.Number != last.Number+1 || b.Parent != last.Hash || !b.Time.After(last.Time) {
			t.Fatalf("%+v does not follow %+v, %v", b, last, err)
		}
		last = b
	}
}

// An endpoint of another chain is refused, and one that is behind never takes the head back.
func TestSecondEndpoint(t *testing.T) {
	cfg := config(t, "461-v15")
	n := start(t, cfg, bittensor.Opts{})
	for range 20 {
		n.node.Produce()
	}
	same := fakenode.New(cfg) // the same chain from the same seed, behind
	same.Add(key(t, 1).Hotkey(), key(t, 1001).Hotkey(), 1_000_000)
	same.Add(key(t, 2).Hotkey(), key(t, 1002).Hotkey(), 0)
	for range 6 {
		same.Produce()
	}
	behind, stop := same.Serve()
	defer stop()
	foreign := config(t, "461-v15")
	foreign.Seed = "another"
	other := fakenode.New(foreign)
	for range 40 {
		other.Produce()
	}
	elsewhere, stopOther := other.Serve()
	defer stopOther()
	c := dial(t, bittensor.Opts{Genesis: n.node.Genesis()}, elsewhere, n.url, behind)
	ctx := ctxOf(t, time.Minute)
	head, err := c.Head(ctx)
	if _, final := n.node.Heads(); err != nil || head.Number != final {
		t.Fatalf("head %+v, %v, want %d", head, err, final)
	}
	n.node.Disturb(fakenode.Faults{Handshake: 429})
	n.node.CutAll() // now there is only the one that is behind
	for range 40 {
		if h, err := c.Head(ctx); err == nil && h.Number < head.Number {
			t.Fatalf("the head went back from %d to %d", head.Number, h.Number)
		}
		same.Produce()
		time.Sleep(time.Millisecond)
	}
	b, err := c.Wait(ctx, head.Number+3)
	if err != nil || b.Number != head.Number+3 {
		t.Errorf("%+v, %v", b, err)
	}
}

// Everything that is asked is asked again when the connection is cut on the way.
func TestReadsThroughCuts(t *testing.T) {
	cfg := config(t, "461-v15")
	n := start(t, cfg, bittensor.Opts{})
	ctx := ctxOf(t, time.Minute)
	for cut := range 12 {
		left := cut
		n.node.Disturb(fakenode.Faults{Early: cut%2 == 0, Frame: func(bool, string, []byte) fakenode.Act {
			if left--; left == 0 {
				return fakenode.Cut
			}
			return fakenode.Pass
		}})
		n.node.Produce()
		n.node.Produce()
		_, final := n.node.Heads()
		if _, err := n.client.Wait(ctx, final); err != nil {
			t.Fatal(cut, err)
		}
		m, err := n.client.Metagraph(ctx)
		if err != nil || len(m.Neurons) != 2 || m.Block < final {
			t.Fatalf("cut at frame %d: %+v, %v", cut, m, err)
		}
	}
}

// An endpoint that limits requests, or has thrown a state away, is left for the next.
func TestLimitsAndPrunedState(t *testing.T) {
	cfg := config(t, "461-v15")
	n := start(t, cfg, bittensor.Opts{})
	second, stop := n.node.Serve()
	defer stop()
	c := dial(t, bittensor.Opts{}, n.url, second)
	ctx := ctxOf(t, time.Minute)
	first, err := c.Block(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		n.node.Produce()
	}
	n.node.Prune(5)
	again := dial(t, bittensor.Opts{}, second)
	if b, err := again.Block(ctx, 1); err != nil || !b.Time.Equal(first.Time) || b.Hash != first.Hash {
		t.Errorf("the time of a block whose state is gone: %+v, %v, want %+v", b, err, first)
	}
	if b, err := again.Block(ctx, 0); err != nil || b.Hash != n.node.Genesis() || !b.Time.Before(first.Time) {
		t.Errorf("block 0: %+v, %v", b, err)
	}
	if _, err := again.Metagraph(ctx); err != nil {
		t.Error(err)
	}
}

func TestRuntimeUpgrade(t *testing.T) {
	cfg := config(t, "218-v14")
	n := start(t, cfg, bittensor.Opts{})
	n.loop(t, nil)
	ctx := ctxOf(t, time.Minute)
	r, err := n.client.Commit(ctx, key(t, 1), []byte("before"))
	if err != nil || r.Status != chain.StatusIncluded {
		t.Fatal(r, err)
	}
	n.node.Upgrade(metadata(t, "461-v15"), 461)
	head, err := n.client.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.client.Wait(ctx, head.Number+1); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300) // only the new runtime takes it
	r, err = n.client.Commit(ctx, key(t, 1), []byte(long))
	if err != nil || r.Status != chain.StatusIncluded {
		t.Errorf("after the upgrade: %+v, %v", r, err)
	}
	list, err := n.client.Commitments(ctx)
	if err != nil || len(list) != 1 || string(list[0].Data) != long {
		t.Errorf("%+v, %v", list, err)
	}
}

// A neuron's bad bytes are that neuron's fault and nobody else's.
func TestBadCommitments(t *testing.T) {
	n := start(t, config(t, "461-v15"), bittensor.Opts{})
	n.node.SetCommitment(key(t, 1).Hotkey(), []byte{1, 2, 3})
	n.node.SetCommitment(key(t, 2).Hotkey(), append(make([]byte, 8), 9, 0, 0, 0, 4, 3, 'o', 'k'))
	n.node.SetCommitment(key(t, 77).Hotkey(), append(make([]byte, 8), 9, 0, 0, 0, 4, 3, 'n', 'o')) // left the subnet
	list, err := n.client.Commitments(ctxOf(t, time.Minute))
	if err != nil || len(list) != 1 || list[0].Hotkey != key(t, 2).Hotkey() || string(list[0].Data) != "ok" || list[0].Block != 9 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The metagraph from storage is the one of the runtime's API, where the runtime lacks it.
func TestMetagraphFromStorage(t *testing.T) {
	for _, name := range []string{"461-v15", "218-v14"} {
		n := start(t, config(t, name), bittensor.Opts{})
		ctx := ctxOf(t, time.Minute)
		want, err := n.client.Metagraph(ctx)
		if err != nil {
			t.Fatal(err)
		}
		other := dial(t, bittensor.Opts{}, n.url)
		n.node.Disturb(fakenode.Faults{Refuse: noCalls()})
		got, err := other.Metagraph(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Neurons {
			want.Neurons[i].Coldkey = protocol.Hotkey{} // storage has it elsewhere
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// noCalls is a node whose runtime does not have the API.
func noCalls() map[string]*rpc.Error {
	return map[string]*rpc.Error{"state_call": {Code: 4003, Message: "Client error: Execution failed: Function to start was not found."}}
}

// A stranger's call is refused before it is sent, and in the chain's own words after.
func TestRefusalsBeforeSending(t *testing.T) {
	cfg := config(t, "218-v14")
	cfg.RateLimit = 50
	n := start(t, cfg, bittensor.Opts{})
	n.loop(t, nil)
	ctx := ctxOf(t, time.Minute)
	entries := func(uids ...protocol.UID) chain.Weights {
		var w chain.Weights
		for _, u := range uids {
			w.Entries = append(w.Entries, chain.Weight{UID: u, Value: 5})
		}
		return w
	}
	stranger := key(t, 50)
	if r, err := n.client.SetWeights(ctx, key(t, 1), entries(0, 1)); err != nil || r.Status != chain.StatusIncluded {
		t.Fatal(r, err)
	}
	sent := n.node.Counts()["author_submitAndWatchExtrinsic"]
	for want, call := range map[string]func() (chain.Receipt, error){
		"not registered":     func() (chain.Receipt, error) { return n.client.Commit(ctx, stranger, []byte("x")) },
		"at most 128":        func() (chain.Receipt, error) { return n.client.Commit(ctx, key(t, 1), make([]byte, 129)) },
		"permit":             func() (chain.Receipt, error) { return n.client.SetWeights(ctx, key(t, 2), entries(0, 1)) },
		"rate limit":         func() (chain.Receipt, error) { return n.client.SetWeights(ctx, key(t, 1), entries(0, 1)) },
		"not enough balance": func() (chain.Receipt, error) { return n.client.Register(ctx, stranger, chain.Registration{}) },
		"already registered": func() (chain.Receipt, error) {
			return n.client.Register(ctx, stranger, chain.Registration{Hotkey: key(t, 1).Hotkey()})
		},
		"no weights": func() (chain.Receipt, error) { return n.client.SetWeights(ctx, key(t, 1), chain.Weights{}) },
	} {
		r, err := call()
		if err != nil || r.Status != chain.StatusFailed || !strings.Contains(r.Reason, want) {
			t.Errorf("%+v, %v, want %q", r, err, want)
		}
	}
	if now := n.node.Counts()["author_submitAndWatchExtrinsic"]; now != sent {
		t.Errorf("%d calls were sent that had to fail", now-sent)
	}
}

// Commitments that the chain's rate limit refuses are not sent, and the refusal names the
// block from which on they are taken: by a number of blocks, or by bytes in an epoch.
func TestCommitmentRate(t *testing.T) {
	for name, c := range map[string]struct {
		limit byte // of runtime 218, in blocks
		size  int
		first int // commitments that are taken at once
	}{
		"218-v14": {20, 100, 1},
		"461-v15": {0, 512, 6}, // 3100 bytes
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, name)
			cfg.Tempo = 80
			cfg.Metadata = bytes.Replace(cfg.Metadata, []byte("RateLimit\x10\x10\x00\x00\x00\x00"), []byte{'R', 'a', 't', 'e', 'L', 'i', 'm', 'i', 't', 16, 16, c.limit, 0, 0, 0}, 1)
			n := start(t, cfg, bittensor.Opts{})
			n.loop(t, nil)
			ctx := ctxOf(t, time.Minute)
			commit := func(i byte) chain.Receipt {
				r, err := n.client.Commit(ctx, key(t, 2), bytes.Repeat([]byte{i}, c.size))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			var taken byte
			r := commit(taken)
			for ; r.Status == chain.StatusIncluded && taken < 20; r = commit(taken) { // an epoch may end meanwhile
				taken++
			}
			if int(taken) < c.first || int(taken) > 2*c.first {
				t.Errorf("%d were taken, want %d", taken, c.first)
			}
			_, after, _ := strings.Cut(r.Reason, "again from block ")
			number, _, _ := strings.Cut(after, " ")
			block, err := strconv.ParseUint(number, 10, 64)
			if err != nil || !strings.HasPrefix(r.Reason, "rate limit: ") || r.Block != 0 {
				t.Fatalf("%+v names no block", r)
			}
			if _, err := n.client.Wait(ctx, block-1); err != nil {
				t.Fatal(err)
			}
			if r := commit(taken); r.Status != chain.StatusIncluded || r.Block < block {
				t.Errorf("%+v, want it taken from block %d on", r, block)
			}
			for _, x := range n.node.Seen() {
				if x.Error != "" {
					t.Errorf("sent although it had to fail: %+v", x)
				}
			}
		})
	}
}
