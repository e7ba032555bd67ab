package bittensor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/bittensor"
	"templar/internal/chain/bittensor/fakenode"
)

// call is one of the client's calls, and how its effects are counted.
type call struct {
	name, extrinsic string
	reveals         int // extrinsics that may follow it
	metadata        string
	commitReveal    bool
	make            func(ctx context.Context, t testing.TB, c *bittensor.Client) (chain.Receipt, error)
}

func calls() []call {
	weights := func(ctx context.Context, t testing.TB, c *bittensor.Client) (chain.Receipt, error) {
		return c.SetWeights(ctx, key(t, 1), chain.Weights{Entries: []chain.Weight{{UID: 0, Value: 3}, {UID: 1, Value: 9}}})
	}
	all := []call{
		{"register", "SubtensorModule.burned_register", 0, "218-v14", false, func(ctx context.Context, t testing.TB, c *bittensor.Client) (chain.Receipt, error) {
			return c.Register(ctx, key(t, 1005), chain.Registration{Hotkey: key(t, 5).Hotkey()})
		}},
		{"register with a limit", "SubtensorModule.register_limit", 0, "461-v15", false, func(ctx context.Context, t testing.TB, c *bittensor.Client) (chain.Receipt, error) {
			return c.Register(ctx, key(t, 1005), chain.Registration{Hotkey: key(t, 5).Hotkey()})
		}},
		{"commit", "Commitments.set_commitment", 0, "461-v15", false, func(ctx context.Context, t testing.TB, c *bittensor.Client) (chain.Receipt, error) {
			return c.Commit(ctx, key(t, 2), []byte("bucket"))
		}},
		{"weights", "SubtensorModule.set_weights", 0, "218-v14", false, weights},
		{"hashed weights", "SubtensorModule.commit_weights", 1, "218-v14", true, weights},
		{"timelocked weights", "SubtensorModule.commit_timelocked_weights", 0, "461-v15", true, weights},
	}
	if testing.Short() {
		return []call{all[2], all[5]}
	}
	return all
}

// bubble starts a network in virtual time. Blocks come every 12 seconds.
func bubble(t testing.TB, c fakenode.Config) (n network, stop func()) {
	c.Start = time.Now()
	node := fakenode.New(c)
	node.Add(key(t, 1).Hotkey(), key(t, 1001).Hotkey(), 1_000_000)
	node.Add(key(t, 2).Hotkey(), key(t, 1002).Hotkey(), 0)
	node.Fund(key(t, 1005).Hotkey(), 10*bittensor.RAO)
	for range c.Lag + 2 {
		node.Produce()
	}
	return network{node: node}, node.Loop(12*time.Second, nil)
}

func (n network) dial(ctx context.Context, t testing.TB, dir string) *bittensor.Client {
	c, err := bittensor.Dial(ctx, bittensor.Opts{Endpoints: []string{"ws://fake"}, NetUID: netuid, Dir: dir, Dial: n.node.Dial, Signer: key(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// succeeded counts the extrinsics of a call that took effect.
func (n network) succeeded(name string) (count int, at uint64) {
	for _, x := range n.node.Seen() {
		if x.Call == name && x.Error == "" {
			count, at = count+1, x.Block
		}
	}
	return count, at
}

// disturbAfterSending does an act to the k-th frame after a call was given to the node;
// frame 0 is the call itself. It does not happen twice.
func disturbAfterSending(k int, act fakenode.Act) (fakenode.Faults, *bool) {
	count, done := -1, false
	return fakenode.Faults{Frame: func(_ bool, method string, frame []byte) fakenode.Act {
		if count < 0 && (method != "author_submitAndWatchExtrinsic" || !strings.Contains(string(frame), "params")) {
			return fakenode.Pass
		}
		if count++; count != k || done {
			return fakenode.Pass
		}
		done = true
		return act
	}}, &done
}

// Whatever frame is lost after a call was sent, and whether the connection goes with it:
// the call takes effect once at most, and the receipt is right.
func TestNothingTakesEffectTwice(t *testing.T) {
	for _, call := range calls() {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			everyFrame(t, func(t *testing.T, k int) (reached bool) {
				return onceAtMost(t, call, fmt.Sprintf("frame %d cut", k), k, fakenode.Cut)
			})
			for k := range 5 { // what differs from a cut is at the beginning
				for name, act := range map[string]fakenode.Act{"lost": fakenode.Drop, "cut after": fakenode.CutAfter} {
					synctest.Test(t, func(t *testing.T) { onceAtMost(t, call, fmt.Sprintf("frame %d %s", k, name), k, act) })
				}
			}
		})
	}
}

// everyFrame runs a test for frames 0, 1, 2, ... until one is not reached any more.
func everyFrame(t *testing.T, test func(t *testing.T, k int) (reached bool)) {
	k, reached := 0, true
	for ; reached && k < 200; k++ {
		synctest.Test(t, func(t *testing.T) { reached = test(t, k) })
		if testing.Short() && k == 6 {
			return
		}
	}
	if k < 8 || reached {
		t.Errorf("ended with frame %d", k)
	}
}

func onceAtMost(t *testing.T, call call, what string, k int, act fakenode.Act) (reached bool) {
	cfg := config(t, call.metadata)
	cfg.CommitReveal = call.commitReveal
	n, stop := bubble(t, cfg)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	c := n.dial(ctx, t, t.TempDir())
	defer c.Close()
	faults, done := disturbAfterSending(k, act)
	n.node.Disturb(faults)
	r, err := call.make(ctx, t, c)
	n.node.Disturb(fakenode.Faults{})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return false
	}
	reached = *done
	count, at := n.succeeded(call.extrinsic)
	switch {
	case r.Status == chain.StatusFailed && count != 0:
		t.Errorf("%s: %+v, and it is in block %d", what, r, at)
	case r.Status != chain.StatusFailed && (count != 1 || r.Block != at):
		t.Errorf("%s: %+v, and %d in effect, the last in block %d", what, r, count, at)
	}
	if r.Status == chain.StatusPending {
		settled, err := c.Settle(ctx, key(t, 1), r)
		if err != nil || settled.Status != chain.StatusIncluded {
			t.Errorf("%s: settled as %+v, %v", what, settled, err)
		}
		if got := n.node.Weights(0); len(got) != 2 {
			t.Errorf("%s: weights %v", what, got)
		}
	}
	if sent := n.node.Counts()["author_submitAndWatchExtrinsic"]; sent > 1+call.reveals {
		t.Errorf("%s: sent %d times", what, sent)
	}
	for _, x := range n.node.Seen() {
		if x.Error != "" {
			t.Errorf("%s: failed extrinsic %+v", what, x)
		}
	}
	return reached
}

// A process that is killed after sending, and the one after it that does the same again.
func TestKilledAfterSending(t *testing.T) {
	for _, call := range calls() {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			everyFrame(t, func(t *testing.T, k int) (reached bool) { return killed(t, call, k) })
		})
	}
}

func killed(t *testing.T, call call, k int) (reached bool) {
	cfg := config(t, call.metadata)
	cfg.CommitReveal, cfg.RateLimit = call.commitReveal, 100 // of weights: the chain itself takes no second ones
	cfg.Tempo = 12                                           // that the second process is not too late to reveal
	n, stop := bubble(t, cfg)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
	defer cancel()
	dir := t.TempDir()
	first := n.dial(ctx, t, dir)
	dying, kill := context.WithCancel(ctx)
	faults, done := disturbAfterSending(k, fakenode.CutAfter)
	inner := faults.Frame
	faults.Frame = func(toClient bool, method string, frame []byte) fakenode.Act {
		act := inner(toClient, method, frame)
		if act != fakenode.Pass {
			kill()
		}
		return act
	}
	n.node.Disturb(faults)
	r, err := call.make(dying, t, first)
	kill()
	n.node.Disturb(fakenode.Faults{})
	reached = *done
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err == nil && r.Status == chain.StatusFailed {
		t.Errorf("frame %d: %+v", k, r)
	}
	for range 4 { // the call becomes final, or not
		time.Sleep(12 * time.Second)
	}
	second := n.dial(ctx, t, dir)
	defer second.Close()
	again, err := call.make(ctx, t, second)
	if err != nil {
		t.Fatalf("frame %d: %v", k, err)
	}
	if again.Status == chain.StatusPending {
		if _, err := second.Settle(ctx, key(t, 1), again); err != nil {
			t.Error(err)
		}
	}
	for range 2*cfg.Tempo + 6 {
		time.Sleep(12 * time.Second)
	}
	if count, _ := n.succeeded(call.extrinsic); count != 1 {
		t.Errorf("frame %d: %d in effect; the second process got %+v", k, count, again)
	}
	if call.commitReveal { // of which process they may be
		if got := n.node.Weights(0); len(got) != 2 {
			t.Errorf("frame %d: weights %v", k, got)
		}
	}
	return reached
}
