package cometbft_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/chain/ledger/ledgertest"
	"templar/protocol"
)

const interval = 20 * time.Millisecond

func TestConformance(t *testing.T) {
	chaintest.Run(t, func(t *testing.T) chaintest.Subject {
		t.Parallel()
		g, _ := ledgertest.Genesis(t)
		n := start(t, initHome(t, g), "127.0.0.1:0")
		return ledgertest.Subject(t, dial(t, n.Endpoint()))
	})
}

// The suite passes too when the client believes nothing without a proof.
func TestConformanceVerified(t *testing.T) {
	chaintest.Run(t, func(t *testing.T) chaintest.Subject {
		t.Parallel()
		g, _ := ledgertest.Genesis(t)
		home := initHome(t, g)
		n := start(t, home, "127.0.0.1:0")
		s := ledgertest.Subject(t, dialVerified(t, n.Endpoint(), home))
		s.Lag = 1
		return s
	})
}

func dialVerified(t *testing.T, endpoint, home string) *cometbft.Client {
	t.Helper()
	text, err := cometbft.ReadGenesisHash(home)
	if err != nil {
		t.Fatal(err)
	}
	var hash protocol.Hash
	if err := hash.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	c, err := cometbft.Dial(t.Context(), cometbft.Opts{Endpoint: endpoint, Verify: hash})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func initHome(t *testing.T, g ledger.Genesis) string {
	t.Helper()
	home := t.TempDir()
	if err := cometbft.Init(home, g); err != nil {
		t.Fatal(err)
	}
	return home
}

// running is a node that stop ends, at the latest with the test.
type running struct {
	*cometbft.Node
	stop func()
}

func start(t *testing.T, home, listen string) running {
	t.Helper()
	n, err := cometbft.New(cometbft.Config{Home: home, Listen: listen, BlockInterval: interval})
	if err != nil {
		t.Fatal(err)
	}
	return running{n, runNode(t, n)}
}

func runNode(t *testing.T, n *cometbft.Node) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, endpoint string) *cometbft.Client {
	t.Helper()
	c, err := cometbft.Dial(t.Context(), cometbft.Opts{Endpoint: endpoint, ChainID: "chaintest", NetUID: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A node that stops and starts again on its home goes on where it was, and a client
// that was connected goes on too.
func TestRestartContinues(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	home := initHome(t, g)
	first := start(t, home, "127.0.0.1:0")
	address := strings.TrimPrefix(first.Endpoint(), "http://")
	c := dial(t, first.Endpoint())
	r, err := c.Commit(t.Context(), validator, []byte("kept"))
	if err != nil || r.Status != chain.StatusIncluded {
		t.Fatal(r, err)
	}
	before, err := c.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := c.Wait(t.Context(), before.Number+20)
		waited <- err
	}()

	first.stop()
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Fatal("a stopped node still listens")
	}
	start(t, home, address)
	if err := <-waited; err != nil {
		t.Errorf("the wait did not survive the restart: %v", err)
	}
	again, err := c.Block(t.Context(), before.Number)
	if err != nil || again != before {
		t.Errorf("block %d was %+v, is %+v, %v", before.Number, before, again, err)
	}
	all, err := c.Commitments(t.Context())
	if err != nil || len(all) != 1 || string(all[0].Data) != "kept" || all[0].Block != r.Block {
		t.Errorf("commitments %+v, %v", all, err)
	}
}

// A call whose chain is away while it is sent takes effect exactly once.
func TestSubmitSurvivesRestart(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	home := initHome(t, g)
	node := start(t, home, "127.0.0.1:0")
	address := strings.TrimPrefix(node.Endpoint(), "http://")
	c := dial(t, node.Endpoint())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for range 3 {
			node.stop()
			node = start(t, home, address)
		}
	}()
	authority, target := chaintest.Key(t, 0), chaintest.Key(t, 2).Hotkey()
	const calls = 5
	for included := 0; included < calls; {
		r, err := c.Admin().Stake(t.Context(), authority, target, 10)
		switch {
		case err != nil:
			t.Fatal(err)
		case r.Status == chain.StatusIncluded:
			included++
		default: // blocks are fast here, and the call was lost with a pool until it expired: it took no effect
			t.Log(r.Reason)
		}
	}
	<-stopped
	m, err := c.Metagraph(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := m.ByHotkey(target); n.Stake != 10*calls {
		t.Errorf("stake %d after %d calls of 10", n.Stake, calls)
	}
}

func TestTwoChainsInOneProcess(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	a, b := start(t, initHome(t, g), "127.0.0.1:0"), start(t, initHome(t, g), "127.0.0.1:0")
	ca, cb := dial(t, a.Endpoint()), dial(t, b.Endpoint())
	if r, err := ca.Commit(t.Context(), validator, []byte("a")); err != nil || r.Status != chain.StatusIncluded {
		t.Fatal(r, err)
	}
	if all, err := cb.Commitments(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("the other chain has %v, %v", all, err)
	}
}

func TestInitIsIdempotent(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	home := initHome(t, g)
	if err := cometbft.Init(home, g); err != nil {
		t.Errorf("again: %v", err)
	}
	g.Tempo++
	if err := cometbft.Init(home, g); !errors.Is(err, cometbft.ErrOtherGenesis) {
		t.Errorf("other parameters: %v, want ErrOtherGenesis", err)
	}
	g.Tempo--
	g.Time = time.Now()
	if err := cometbft.Init(home, g); !errors.Is(err, cometbft.ErrOtherGenesis) {
		t.Errorf("other time: %v, want ErrOtherGenesis", err)
	}
}

func TestInitRefuses(t *testing.T) {
	if err := cometbft.Init(t.TempDir(), ledger.Genesis{}); err == nil {
		t.Error("an empty genesis was accepted")
	}
	g, _ := ledgertest.Genesis(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cometbft.Init(file, g); err == nil {
		t.Error("a file was accepted as home")
	}
}

// A chain that begins later does not keep its node from stopping.
func TestGenesisInTheFuture(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	g.Time = time.Now().Add(time.Hour)
	start(t, initHome(t, g), "127.0.0.1:0").stop()
}

// Old blocks go, and the client says so; the newest stay.
func TestPruning(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	home := initHome(t, g)
	n, err := cometbft.New(cometbft.Config{Home: home, Listen: "127.0.0.1:0", BlockInterval: time.Millisecond, RetainBlocks: 10})
	if err != nil {
		t.Fatal(err)
	}
	runNode(t, n)
	c := dial(t, n.Endpoint())
	if _, err := c.Wait(t.Context(), 27); err != nil { // pruned with block 25
		t.Fatal(err)
	}
	if b, err := c.Block(t.Context(), 5); err == nil || errors.Is(err, chain.ErrFuture) {
		t.Errorf("block 5: %+v, %v, want an error", b, err)
	}
	for kept := uint64(20); ; { // on a machine that is busy, it may be pruned while it is asked for
		_, err := c.Block(t.Context(), kept)
		if err == nil {
			return
		}
		head, headErr := c.Head(t.Context())
		if headErr != nil || head.Number <= kept+10 {
			t.Fatalf("block %d, the head is %d: %v", kept, head.Number, errors.Join(err, headErr))
		}
		kept = head.Number - 5
	}
}

func TestNewRefusesBusyPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = cometbft.New(cometbft.Config{Home: t.TempDir(), Listen: l.Addr().String(), BlockInterval: interval})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("error %v, want one that names the address", err)
	}
}

func TestRunRefuses(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	used := initHome(t, g)
	dial(t, start(t, used, "127.0.0.1:0").Endpoint())
	for name, c := range map[string]struct{ home, want string }{
		"empty home": {t.TempDir(), "no genesis"},
		"used home":  {used, "another node"},
	} {
		n, err := cometbft.New(cometbft.Config{Home: c.home, Listen: "127.0.0.1:0", BlockInterval: interval})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error about %q", name, err, c.want)
		}
	}
}

func TestDialRefusesOtherChain(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	for want, o := range map[string]cometbft.Opts{
		`not "other"`: {Endpoint: n.Endpoint(), ChainID: "other"},
		"not 9":       {Endpoint: n.Endpoint(), NetUID: 9},
	} {
		if _, err := cometbft.Dial(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error about %s", err, want)
		}
	}
}
