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
	hotkey, coldkey, r, err := s.register(t, ctx, 100)
	included(t)(r, err)
	m := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	if m.Block < r.Block {
		t.Errorf("metagraph of block %d after inclusion in block %d", m.Block, r.Block)
	}
	n, ok := m.ByHotkey(hotkey)
	if !ok || n.Registered != r.Block || n.Coldkey != coldkey || n.Permit || n.Stake != 0 {
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
	_, _, r, err = s.register(t, ctx, 100)
	if again := refused(t)(r, err); !strings.Contains(again.Reason, "registered") {
		t.Errorf("reason %q", again.Reason)
	}
}

func testCommit(t *testing.T, ctx context.Context, s Subject) {
	stranger := Key(t, 100)
	if s.Fund != nil {
		s.Fund(t, stranger.Hotkey())
	}
	refused(t)(s.Chain.Commit(ctx, stranger, []byte("x")))
	longest := bytes.Repeat([]byte{0xa5}, s.MaxCommitment)
	for _, data := range [][]byte{[]byte("first"), longest} {
		r := included(t)(s.Chain.Commit(ctx, s.Validator, data))
		expectCommitment(t, ctx, s, data, r.Block)
	}
	for _, size := range []int{0, s.MaxCommitment + 1, 100_000} {
		refused(t)(s.Chain.Commit(ctx, s.Validator, make([]byte, size)))
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
	hotkey, _, r, err := s.register(t, ctx, 100)
	included(t)(r, err)
	m := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	self, _ := m.ByHotkey(s.Validator.Hotkey())
	if lead, ok := m.Lead(); !ok || lead.UID != self.UID {
		t.Errorf("lead %+v, want the validator %+v", lead, self)
	}
	target, _ := m.ByHotkey(hotkey)
	weights := chain.Weights{Entries: []chain.Weight{{UID: target.UID, Value: 7}}}
	others := chain.Weights{Entries: []chain.Weight{{UID: self.UID, Value: 7}}} // a chain may allow weights for oneself
	if r := refused(t)(s.Chain.SetWeights(ctx, Key(t, 100), others)); !strings.Contains(r.Reason, "permit") {
		t.Errorf("reason %q", r.Reason)
	}
	refused(t)(s.Chain.SetWeights(ctx, s.Validator, chain.Weights{Entries: []chain.Weight{{UID: 4000, Value: 7}}}))

	r = s.setWeights(t, ctx, weights)
	settled := included(t)(s.Chain.Settle(ctx, s.Validator, r))
	if again := included(t)(s.Chain.Settle(ctx, s.Validator, r)); again != settled {
		t.Errorf("settled as %+v, then as %+v", settled, again)
	}
	if settled.Block != r.Block || settled.EffectiveAt < r.EffectiveAt {
		t.Errorf("receipt %+v, settled as %+v", r, settled)
	}
	s.expectIncentive(t, ctx, hotkey, settled)
}

// setWeights sets the validator's weights, which may be in effect or pending afterwards.
func (s *Subject) setWeights(t *testing.T, ctx context.Context, w chain.Weights) chain.Receipt {
	t.Helper()
	r, err := s.Chain.SetWeights(ctx, s.Validator, w)
	if err != nil || r.Status == chain.StatusFailed || r.Block == 0 || r.EffectiveAt < r.Block {
		t.Fatalf("weights: %+v, %v", r, err)
	}
	if pending := r.Status == chain.StatusPending; pending != (r.EffectiveAt > r.Block) {
		t.Errorf("weights: %+v, want a pending receipt exactly when they take effect later", r)
	}
	return r
}

// expectIncentive waits for the end of the epoch in which weights took effect, and no
// longer.
func (s *Subject) expectIncentive(t *testing.T, ctx context.Context, hotkey protocol.Hotkey, set chain.Receipt) {
	t.Helper()
	var m chain.Metagraph
	for n, last := set.EffectiveAt, set.EffectiveAt+2*s.Epoch+s.Lag; n <= last; n++ {
		must[chain.Block](t, "wait")(s.Chain.Wait(ctx, n))
		m = must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
		target, _ := m.ByHotkey(hotkey)
		self, _ := m.ByHotkey(s.Validator.Hotkey())
		if target.Incentive > 0 && self.Dividends > 0 && self.LastUpdate >= set.Block {
			return
		}
	}
	t.Errorf("weights in effect at block %d, and no incentive at block %d, with an epoch every %d blocks: %+v", set.EffectiveAt, m.Block, s.Epoch, m.Neurons)
}

// testReveal: the caller learns when weights that were pending did not take effect, and
// those of before stay.
func testReveal(t *testing.T, ctx context.Context, s Subject) {
	if s.MissReveal == nil {
		t.Skip("this chain reveals all weights")
	}
	hotkey, _, r, err := s.register(t, ctx, 100)
	included(t)(r, err)
	m := must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	target, _ := m.ByHotkey(hotkey)
	weights := chain.Weights{Entries: []chain.Weight{{UID: target.UID, Value: 7}}}

	s.MissReveal(t)
	missed := s.setWeights(t, ctx, weights)
	if missed.Status != chain.StatusPending {
		t.Fatalf("receipt %+v, want a pending one", missed)
	}
	settled := refused(t)(s.Chain.Settle(ctx, s.Validator, missed))
	if settled.Block != missed.Block {
		t.Errorf("receipt %+v, settled as %+v", missed, settled)
	}
	if head := must[chain.Block](t, "head")(s.Chain.Head(ctx)); head.Number < missed.EffectiveAt {
		t.Errorf("decided at block %d, before block %d", head.Number, missed.EffectiveAt)
	}
	m = must[chain.Metagraph](t, "metagraph")(s.Chain.Metagraph(ctx))
	if target, _ := m.ByHotkey(hotkey); target.Incentive != 0 {
		t.Errorf("weights that were not revealed pay an incentive: %+v", target)
	}

	r = s.setWeights(t, ctx, weights)
	settled = included(t)(s.Chain.Settle(ctx, s.Validator, r))
	s.expectIncentive(t, ctx, hotkey, settled)
}

// testEffects: what a receipt says is in effect when Submit returns, and what Head
// says exists is in the metagraph.
func testEffects(t *testing.T, ctx context.Context, s Subject) {
	for i := range 5 {
		data := fmt.Appendf(nil, "commitment %d", i)
		r := included(t)(s.Chain.Commit(ctx, s.Validator, data))
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
		n := 100 + uint64(i)
		w := Key(t, n)
		wg.Go(func() {
			if _, _, r, err := s.register(t, ctx, n); err != nil || r.Status != chain.StatusIncluded {
				t.Errorf("register: %+v, %v", r, err)
				return
			}
			var inner sync.WaitGroup
			for j := range callers {
				inner.Go(func() {
					r, err := s.Chain.Commit(ctx, w, []byte{byte(i), byte(j)})
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
