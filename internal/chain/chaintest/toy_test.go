package chaintest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/protocol"
)

// toy is a chain in memory that is as unlike our own as the port allows: coldkeys sign
// registrations and pay for them, the newest block can be replaced, weights are
// committed and revealed in a later block, and randomness is not the block's hash. It
// shows that the suite needs no ledger, and runs those of its tests that our chain skips.
type toy struct {
	mu struct {
		sync.Mutex
		final    []chain.Block
		best     chain.Block // not final: only the blocks before it are reported
		graph    chain.Metagraph
		data     []chain.Commitment
		funds    map[protocol.Hotkey]int
		hidden   []hidden
		weights  map[protocol.UID][]chain.Weight
		revealed map[uint64]bool // by block of the commit
		miss     bool            // the next weights are not revealed
		advance  chan struct{}
	}
}

// hidden is a set of weights that waits to be revealed.
type hidden struct {
	chain.Receipt
	uid     protocol.UID
	entries []chain.Weight
}

const (
	toyEpoch      = 4  // blocks between epochs
	toyReveal     = 3  // blocks from a commit of weights to its reveal
	toyCommitment = 64 // bytes
	toyPrice      = 10 // of a registration
)

func TestToyChain(t *testing.T) {
	chaintest.Run(t, func(t *testing.T) chaintest.Subject {
		c := newToy(t)
		return chaintest.Subject{
			Chain: c, Validator: chaintest.Key(t, 1), MaxCommitment: toyCommitment, Epoch: toyEpoch,
			ColdkeySigns: true, Fund: c.fund, Reorganise: c.reorganise, MissReveal: c.missReveal,
		}
	})
}

func newToy(t *testing.T) *toy {
	c := &toy{}
	m := &c.mu
	m.funds, m.weights, m.revealed = map[protocol.Hotkey]int{}, map[protocol.UID][]chain.Weight{}, map[uint64]bool{}
	m.graph.Neurons = []chain.Neuron{{Hotkey: chaintest.Key(t, 1).Hotkey(), Stake: 9, Permit: true}}
	m.final = []chain.Block{{Hash: protocol.Hash{1}, Time: time.Unix(1_800_000_000, 0)}}
	m.advance = make(chan struct{})
	m.best = follow(m.final[0], 0)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-tick.C:
				c.next()
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	return c
}

// follow makes a block after b; forks differ in their hash.
func follow(b chain.Block, fork byte) chain.Block {
	hash := sha256.Sum256(append(b.Hash[:], fork))
	return chain.Block{Number: b.Number + 1, Parent: b.Hash, Hash: hash, Time: b.Time.Add(time.Second)}
}

// next makes the best block final, and what it does to the state.
func (c *toy) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.mu
	m.final = append(m.final, m.best)
	n := m.best.Number
	m.graph.Block, m.best = n, follow(m.best, 0)
	for _, h := range m.hidden {
		if h.EffectiveAt == n {
			m.weights[h.uid], m.revealed[h.Block] = h.entries, true
		}
	}
	if n%toyEpoch == 0 {
		for uid, entries := range m.weights {
			m.graph.Neurons[uid].Dividends = 65535
			for _, e := range entries {
				m.graph.Neurons[e.UID].Incentive = 65535
			}
		}
	}
	close(m.advance)
	m.advance = make(chan struct{})
}

func (c *toy) fund(_ testing.TB, key protocol.Hotkey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.funds[key] += 2 * toyPrice
}

func (c *toy) reorganise(testing.TB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.best = follow(c.mu.final[len(c.mu.final)-1], 1)
}

func (c *toy) missReveal(testing.TB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.miss = true
}

func (c *toy) Head(ctx context.Context) (chain.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.final[len(c.mu.final)-1], ctx.Err()
}

func (c *toy) Block(ctx context.Context, number uint64) (chain.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number >= uint64(len(c.mu.final)) {
		return chain.Block{}, fmt.Errorf("block %d: %w", number, chain.ErrFuture)
	}
	return c.mu.final[number], ctx.Err()
}

func (c *toy) Wait(ctx context.Context, number uint64) (chain.Block, error) {
	for {
		c.mu.Lock()
		final, advance := c.mu.final, c.mu.advance
		c.mu.Unlock()
		if number < uint64(len(final)) {
			return final[number], ctx.Err()
		}
		select {
		case <-advance:
		case <-ctx.Done():
			return chain.Block{}, ctx.Err()
		}
	}
}

func (c *toy) Randomness(ctx context.Context, block uint64) (protocol.Hash, error) {
	_, err := c.Wait(ctx, block)
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("pulse"), block)), err
}

func (c *toy) Metagraph(ctx context.Context) (chain.Metagraph, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return chain.Metagraph{Block: c.mu.graph.Block, Neurons: slices.Clone(c.mu.graph.Neurons)}, ctx.Err()
}

func (c *toy) Commitments(ctx context.Context) ([]chain.Commitment, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.mu.data)
	uid := func(d chain.Commitment) int { n, _ := c.mu.graph.ByHotkey(d.Hotkey); return int(n.UID) }
	slices.SortFunc(all, func(a, b chain.Commitment) int { return uid(a) - uid(b) })
	return all, ctx.Err()
}

// call makes the block that includes a call: rule says what the call does in block n, or
// why it does nothing.
func (c *toy) call(ctx context.Context, rule func(n uint64) (reason string)) (chain.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return chain.Receipt{}, err
	}
	c.next()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.mu.graph.Block
	if reason := rule(n); reason != "" {
		return chain.Receipt{Block: n, Reason: reason}, nil
	}
	return chain.Receipt{Status: chain.StatusIncluded, Block: n, EffectiveAt: n}, nil
}

func (c *toy) Register(ctx context.Context, s protocol.Signer, r chain.Registration) (chain.Receipt, error) {
	return c.call(ctx, func(n uint64) string {
		if _, ok := c.mu.graph.ByHotkey(r.Hotkey); ok {
			return "the hotkey is registered already"
		}
		if c.mu.funds[s.Hotkey()] < toyPrice || r.Coldkey != s.Hotkey() {
			return "the coldkey signs, and pays"
		}
		c.mu.funds[s.Hotkey()] -= toyPrice
		uid := protocol.UID(len(c.mu.graph.Neurons))
		c.mu.graph.Neurons = append(c.mu.graph.Neurons, chain.Neuron{UID: uid, Hotkey: r.Hotkey, Coldkey: s.Hotkey(), Registered: n})
		return ""
	})
}

func (c *toy) Commit(ctx context.Context, s protocol.Signer, data []byte) (chain.Receipt, error) {
	return c.call(ctx, func(n uint64) string {
		_, ok := c.mu.graph.ByHotkey(s.Hotkey())
		if !ok || len(data) == 0 || len(data) > toyCommitment {
			return "the hotkey is not registered, or its data is too long"
		}
		c.mu.data = slices.DeleteFunc(c.mu.data, func(d chain.Commitment) bool { return d.Hotkey == s.Hotkey() })
		c.mu.data = append(c.mu.data, chain.Commitment{Hotkey: s.Hotkey(), Block: n, Data: bytes.Clone(data)})
		return ""
	})
}

func (c *toy) SetWeights(ctx context.Context, s protocol.Signer, w chain.Weights) (chain.Receipt, error) {
	r, err := c.call(ctx, func(n uint64) string {
		self, _ := c.mu.graph.ByHotkey(s.Hotkey())
		known := func(e chain.Weight) bool { return int(e.UID) < len(c.mu.graph.Neurons) }
		if !self.Permit || !known(w.Entries[0]) {
			return "no permit, or a weight for an unknown uid"
		}
		c.mu.graph.Neurons[self.UID].LastUpdate = n
		if !c.mu.miss {
			c.mu.hidden = append(c.mu.hidden, hidden{chain.Receipt{Block: n, EffectiveAt: n + toyReveal}, self.UID, w.Entries})
		}
		c.mu.miss = false
		return ""
	})
	if r.Status == chain.StatusIncluded {
		r.Status, r.EffectiveAt = chain.StatusPending, r.Block+toyReveal
	}
	return r, err
}

func (c *toy) Settle(ctx context.Context, _ protocol.Signer, r chain.Receipt) (chain.Receipt, error) {
	if r.Status != chain.StatusPending {
		return r, ctx.Err()
	}
	if _, err := c.Wait(ctx, r.EffectiveAt); err != nil {
		return chain.Receipt{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Status = chain.StatusIncluded
	if !c.mu.revealed[r.Block] {
		r.Status, r.Reason = chain.StatusFailed, "the weights were not revealed"
	}
	return r, nil
}
