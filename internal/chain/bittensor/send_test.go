package bittensor_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/bittensor"
	"templar/internal/chain/bittensor/fakenode"
	"templar/internal/chain/bittensor/rpc"
)

// What a pool does to a call that it has taken, or does not take: the call takes effect once.
func TestPool(t *testing.T) {
	for name, c := range map[string]struct {
		disturb func(n *fakenode.Node)
		after   func(n *fakenode.Node) // a minute later
	}{
		"dropped":            {func(n *fakenode.Node) { n.Freeze(true) }, func(n *fakenode.Node) { n.Evict("dropped", false); n.Freeze(false) }},
		"said to be dropped": {func(n *fakenode.Node) { n.Freeze(true) }, func(n *fakenode.Node) { n.Evict("dropped", true); n.Freeze(false) }},
		"usurped":            {func(n *fakenode.Node) { n.Freeze(true) }, func(n *fakenode.Node) { n.Evict("usurped", false); n.Freeze(false) }},
		"said to be invalid": {func(n *fakenode.Node) { n.Freeze(true) }, func(n *fakenode.Node) { n.Evict("invalid", true); n.Freeze(false) }},
		"held back":          {func(n *fakenode.Node) { n.Freeze(true) }, func(n *fakenode.Node) { n.Freeze(false) }},
		"limits":             {func(n *fakenode.Node) { n.Disturb(refuse(&rpc.Error{Code: -32005, Message: "rate limit"})) }, func(n *fakenode.Node) { n.Disturb(fakenode.Faults{}) }},
		"banned": {func(n *fakenode.Node) {
			n.Disturb(refuse(&rpc.Error{Code: 1012, Message: "Transaction is temporarily banned"}))
		}, func(n *fakenode.Node) { n.Disturb(fakenode.Faults{}) }},
		"stalled":             {func(n *fakenode.Node) { n.Stall(true) }, func(n *fakenode.Node) { n.Stall(false) }},
		"replaced":            {func(*fakenode.Node) {}, func(n *fakenode.Node) { n.Reorganise(2) }},
		"a handshake refused": {func(n *fakenode.Node) { n.Disturb(fakenode.Faults{Handshake: 429}); n.CutAll() }, func(n *fakenode.Node) { n.Disturb(fakenode.Faults{}) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, stop := bubble(t, config(t, "461-v15"))
				defer stop()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
				defer cancel()
				client := n.dial(ctx, t, t.TempDir())
				defer client.Close()
				c.disturb(n.node)
				var wg sync.WaitGroup
				wg.Go(func() {
					time.Sleep(30 * time.Second)
					c.after(n.node)
				})
				r, err := client.Commit(ctx, key(t, 2), []byte("once"))
				wg.Wait()
				count, at := n.succeeded("Commitments.set_commitment")
				if err != nil || r.Status != chain.StatusIncluded || count != 1 || at != r.Block {
					t.Errorf("%+v, %v; %d in effect, in block %d", r, err, count, at)
				}
			})
		})
	}
}

func refuse(e *rpc.Error) fakenode.Faults {
	return fakenode.Faults{Refuse: map[string]*rpc.Error{"author_submitAndWatchExtrinsic": e}}
}

// A pool that never takes the call, and one that keeps it for ever.
func TestNeverIncluded(t *testing.T) {
	for name, c := range map[string]struct {
		disturb func(n *fakenode.Node)
		want    string
	}{
		"bad signature": {func(n *fakenode.Node) {
			n.Disturb(refuse(&rpc.Error{Code: 1010, Message: "Invalid Transaction", Data: []byte(`"Transaction has a bad signature"`)}))
		}, "bad signature"},
		"custom": {func(n *fakenode.Node) {
			n.Disturb(refuse(&rpc.Error{Code: 1010, Message: `{"invalid":{"custom":6}}`}))
		}, "rate limit"},
		"kept": {func(n *fakenode.Node) { n.Freeze(true) }, "not included before block"},
		"outdated": {func(n *fakenode.Node) {
			n.Disturb(refuse(&rpc.Error{Code: 1010, Message: "Invalid Transaction", Data: []byte(`"Transaction is outdated"`)}))
		}, "refused 6 times"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, stop := bubble(t, config(t, "461-v15"))
				defer stop()
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
				defer cancel()
				client := n.dial(ctx, t, t.TempDir())
				defer client.Close()
				c.disturb(n.node)
				r, err := client.Commit(ctx, key(t, 2), []byte("never"))
				if err != nil || r.Status != chain.StatusFailed || !strings.Contains(r.Reason, c.want) {
					t.Errorf("%+v, %v, want %q", r, err, c.want)
				}
				if count, _ := n.succeeded("Commitments.set_commitment"); count != 0 {
					t.Errorf("%d in effect", count)
				}
			})
		})
	}
}

// Two processes that share a hotkey take turns with its nonce.
func TestSharedHotkey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := bubble(t, config(t, "461-v15"))
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 2 {
			client := n.dial(ctx, t, t.TempDir())
			defer client.Close()
			wg.Go(func() {
				for j := range 4 {
					r, err := client.Commit(ctx, key(t, 2), []byte{byte(i), byte(j)})
					if err != nil || r.Status != chain.StatusIncluded {
						t.Errorf("process %d, call %d: %+v, %v", i, j, r, err)
					}
				}
			})
		}
		wg.Wait()
		if count, _ := n.succeeded("Commitments.set_commitment"); count != 8 {
			t.Errorf("%d in effect, want 8", count)
		}
	})
}

// When finality stalls, the log says so, and Health for how long.
func TestFinalityStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := bubble(t, config(t, "461-v15"))
		defer stop()
		var log bytes.Buffer
		c, err := bittensor.Dial(t.Context(), bittensor.Opts{Endpoints: []string{"ws://fake"}, NetUID: netuid, Dial: n.node.Dial, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		n.node.Stall(true)
		time.Sleep(5 * time.Minute)
		if h := c.Health(); h.Stalled < 4*time.Minute || h.Best < h.Final+20 {
			t.Errorf("%+v", h)
		}
		n.node.Stall(false)
		time.Sleep(30 * time.Second)
		if h := c.Health(); h.Stalled != 0 || h.Best > h.Final+3 {
			t.Errorf("%+v", h)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "finality stalls") {
			t.Error(log.String())
		}
	})
}
