package chaintest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"templar/internal/chain"
	"templar/protocol"
)

func testRegister(t *testing.T, ctx context.Context, s Subject) {
	before := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	newcomer := Key(t, 100)
	owner := Key(t, 101).Hotkey()
	r := submit(t, ctx, s.Chain, newcomer, chain.Register{Coldkey: owner}, chain.StatusIncluded)
	m := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	if m.Block < r.Block {
		t.Errorf("metagraph of block %d after inclusion in block %d", m.Block, r.Block)
	}
	n, ok := m.ByHotkey(newcomer.Hotkey())
	if !ok || n.Registered != r.Block || n.Coldkey != owner || n.Permit || n.Stake != 0 {
		t.Errorf("registered in block %d: %+v", r.Block, n)
	}
	if len(m.Neurons) != len(before.Neurons)+1 {
		t.Errorf("%d neurons, had %d", len(m.Neurons), len(before.Neurons))
	}
	for i, n := range m.Neurons {
		if i > 0 && n.UID <= m.Neurons[i-1].UID {
			t.Errorf("metagraph is not in order of uid: %+v", m.Neurons)
		}
	}
	again := submit(t, ctx, s.Chain, newcomer, chain.Register{}, chain.StatusFailed)
	if !strings.Contains(again.Reason, "registered") {
		t.Errorf("reason %q", again.Reason)
	}
}

func testCommit(t *testing.T, ctx context.Context, s Subject) {
	submit(t, ctx, s.Chain, Key(t, 100), chain.Commit{Data: []byte("x")}, chain.StatusFailed) // a stranger
	longest := bytes.Repeat([]byte{0xa5}, s.MaxCommitment)
	for _, data := range [][]byte{[]byte("first"), longest} {
		r := submit(t, ctx, s.Chain, s.Validator, chain.Commit{Data: data}, chain.StatusIncluded)
		expectCommitment(t, ctx, s, data, r.Block)
	}
	for _, size := range []int{0, s.MaxCommitment + 1, 100_000} {
		submit(t, ctx, s.Chain, s.Validator, chain.Commit{Data: make([]byte, size)}, chain.StatusFailed)
	}
	for _, c := range must[[]chain.Commitment](t, "commitments")(s.Chain.Commitments(ctx)) {
		if c.Hotkey == s.Validator.Hotkey() && !bytes.Equal(c.Data, longest) {
			t.Error("a refused commitment replaced the one before")
		}
	}
}

func expectCommitment(t *testing.T, ctx context.Context, s Subject, data []byte, block uint64) {
	t.Helper()
	found := 0
	for _, c := range must[[]chain.Commitment](t, "commitments")(s.Chain.Commitments(ctx)) {
		if c.Hotkey != s.Validator.Hotkey() {
			continue
		}
		if found++; !bytes.Equal(c.Data, data) || c.Block != block {
			t.Errorf("commitment %x of block %d, want %x of %d", c.Data, c.Block, data, block)
		}
	}
	if found != 1 {
		t.Errorf("%d commitments of one hotkey", found)
	}
}

func testWeights(t *testing.T, ctx context.Context, s Subject) {
	newcomer := Key(t, 100)
	submit(t, ctx, s.Chain, newcomer, chain.Register{}, chain.StatusIncluded)
	m := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	self, _ := m.ByHotkey(s.Validator.Hotkey())
	if lead, ok := m.Lead(); !ok || lead.UID != self.UID {
		t.Errorf("lead %+v, want the validator %+v", lead, self)
	}
	target, _ := m.ByHotkey(newcomer.Hotkey())
	call := chain.SetWeights{Weights: []chain.Weight{{UID: target.UID, Value: 7}}}
	refused := submit(t, ctx, s.Chain, newcomer, call, chain.StatusFailed)
	if !strings.Contains(refused.Reason, "permit") {
		t.Errorf("reason %q", refused.Reason)
	}
	unknown := chain.SetWeights{Weights: []chain.Weight{{UID: 4000, Value: 7}}}
	submit(t, ctx, s.Chain, s.Validator, unknown, chain.StatusFailed)

	r, err := s.Chain.Submit(ctx, s.Validator, call)
	if err != nil || r.Status == chain.StatusFailed {
		t.Fatalf("weights: %+v, %v", r, err)
	}
	if _, err := s.Chain.Wait(ctx, r.EffectiveAt); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, s.Chain, "the weighted neuron to earn", func(m chain.Metagraph) bool {
		target, _ := m.ByHotkey(newcomer.Hotkey())
		self, _ := m.ByHotkey(s.Validator.Hotkey())
		return target.Incentive > 0 && self.Dividends > 0 && self.LastUpdate >= r.Block
	})
}

// waitFor looks at the metagraph after each block.
func waitFor(t *testing.T, ctx context.Context, c chain.Chain, what string, done func(chain.Metagraph) bool) {
	t.Helper()
	for {
		m, err := c.Metagraph(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if done(m) {
			return
		}
		if _, err := c.Wait(ctx, m.Block+1); err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// testEffects: what a receipt says is in effect when Submit returns, and what Head
// says exists is in the metagraph.
func testEffects(t *testing.T, ctx context.Context, s Subject) {
	for i := range 5 {
		data := fmt.Appendf(nil, "commitment %d", i)
		r := submit(t, ctx, s.Chain, s.Validator, chain.Commit{Data: data}, chain.StatusIncluded)
		expectCommitment(t, ctx, s, data, r.Block)
		head := must[chain.Block](t, "head")(s.Chain.Head(ctx))
		if head.Number < r.Block {
			t.Errorf("included in block %d, head is %d", r.Block, head.Number)
		}
		b := must[chain.Block](t, "wait")(s.Chain.Wait(ctx, head.Number+1))
		if m := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx)); m.Block+s.Lag < b.Number {
			t.Errorf("metagraph of block %d after block %d was waited for", m.Block, b.Number)
		}
	}
}

// testConcurrency: hotkeys do not disturb each other, and calls of one hotkey from
// several goroutines all get through, one after the other.
func testConcurrency(t *testing.T, ctx context.Context, s Subject) {
	const hotkeys, callers = 6, 3
	var wg sync.WaitGroup
	for i := range hotkeys {
		w := Key(t, 100+uint64(i))
		wg.Go(func() {
			if r, err := s.Chain.Submit(ctx, w, chain.Register{}); err != nil || r.Status != chain.StatusIncluded {
				t.Errorf("register: %+v, %v", r, err)
				return
			}
			var inner sync.WaitGroup
			for j := range callers {
				inner.Go(func() {
					r, err := s.Chain.Submit(ctx, w, chain.Commit{Data: []byte{byte(i), byte(j)}})
					if err != nil || r.Status != chain.StatusIncluded {
						t.Errorf("commit: %+v, %v", r, err)
					}
				})
			}
			inner.Wait()
		})
	}
	wg.Wait()
	m := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	uids := map[protocol.Hotkey]protocol.UID{}
	for _, n := range m.Neurons {
		uids[n.Hotkey] = n.UID
	}
	all, last := must[[]chain.Commitment](t, "commitments")(s.Chain.Commitments(ctx)), -1
	for _, c := range all {
		if int(uids[c.Hotkey]) <= last {
			t.Errorf("commitments are not in order of uid")
		}
		last = int(uids[c.Hotkey])
	}
	if len(all) != hotkeys {
		t.Errorf("%d commitments, want %d", len(all), hotkeys)
	}
}
