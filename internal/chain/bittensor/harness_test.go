package bittensor_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/bittensor"
	"templar/internal/wallet"
)

// TestRealRuntime runs against a node that SUBTENSOR_ENDPOINT names, on which alice and
// bob are registered on subnet NETUID and dave is not, with wallets in WALLET_PATH. It
// makes the calls that templar makes, and reads back what they did. Every chain whose
// runtime has the calls will do.
func TestRealRuntime(t *testing.T) {
	endpoint := os.Getenv("SUBTENSOR_ENDPOINT")
	if endpoint == "" {
		t.Skip("SUBTENSOR_ENDPOINT is not set")
	}
	subnet, err := strconv.ParseUint(os.Getenv("NETUID"), 10, 16)
	if err != nil {
		t.Fatal("NETUID: ", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, err := bittensor.Dial(ctx, bittensor.Opts{Endpoints: []string{endpoint}, NetUID: uint16(subnet), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	load := func(name string) *wallet.Wallet {
		w, err := wallet.Load(os.Getenv("WALLET_PATH"), name, "default")
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	alice, bob, dave := load("alice"), load("bob"), load("dave")
	owner, err := wallet.LoadColdkey(os.Getenv("WALLET_PATH"), "dave")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	step := func(what string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%5.1f s  %s: %+v", time.Since(began).Seconds(), what, v)
	}
	head, err := c.Head(ctx)
	step("head", head, err)
	first, err := c.Block(ctx, 1)
	step("block 1", first, err)
	quote, err := c.Quote(ctx, dave.Hotkey(), owner.Hotkey())
	step("price", quote, err)
	for name, f := range map[string]func() (chain.Receipt, error){
		"a stranger's commitment": func() (chain.Receipt, error) { return c.Commit(ctx, dave, []byte("x")) },
		"registered again":        func() (chain.Receipt, error) { return c.Register(ctx, owner, chain.Registration{Hotkey: bob.Hotkey()}) },
	} {
		r, err := f()
		step(name, r, err)
		if r.Status != chain.StatusFailed || !strings.Contains(r.Reason, "registered") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	r, err := c.Register(ctx, owner, chain.Registration{Hotkey: dave.Hotkey()})
	step("register dave", r, err)
	graph, err := c.Metagraph(ctx)
	step("metagraph", graph, err)
	if n, ok := graph.ByHotkey(dave.Hotkey()); !ok || n.Registered != r.Block || n.Coldkey != owner.Hotkey() || r.Status != chain.StatusIncluded {
		t.Errorf("dave: %+v after %+v", n, r)
	}
	data := []byte(strings.Repeat("0123456789abcdef", 8))
	r, err = c.Commit(ctx, bob, data)
	step("commit", r, err)
	again, err := c.Commit(ctx, bob, data)
	step("the same again", again, err)
	if r != again {
		t.Errorf("%+v, then %+v", r, again)
	}
	list, err := c.Commitments(ctx)
	step("commitments", len(list), err)
	if !slices.ContainsFunc(list, func(x chain.Commitment) bool {
		return x.Hotkey == bob.Hotkey() && string(x.Data) == string(data) && x.Block == r.Block
	}) {
		t.Errorf("bob's is not there: %+v", list)
	}
	lead, _ := graph.Lead()
	if lead.Hotkey != alice.Hotkey() {
		t.Errorf("lead %+v", lead)
	}
	weights := chain.Weights{}
	for _, n := range graph.Neurons {
		weights.Entries = append(weights.Entries, chain.Weight{UID: n.UID, Value: uint16(n.UID) + 1})
	}
	r, err = c.SetWeights(ctx, alice, weights)
	// Permits are given at the end of an epoch, by runtimes that run real ones. Weights
	// may also be limited since the registration.
	for n := 0; n < 60 && err == nil && (strings.Contains(r.Reason, "permit") || strings.Contains(r.Reason, "rate limit")); n++ {
		if head, err = c.Head(ctx); err == nil {
			_, err = c.Wait(ctx, head.Number+1)
		}
		if err == nil {
			r, err = c.SetWeights(ctx, alice, weights)
		}
	}
	step("weights", r, err)
	settled, err := c.Settle(ctx, alice, r)
	step("settled", settled, err)
	if settled.Status != chain.StatusIncluded {
		t.Errorf("weights: %+v", settled)
	}
}
