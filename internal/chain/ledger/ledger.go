package ledger

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"templar/internal/chain"
	"templar/protocol"
)

// Ledger is the state of a chain after a block. It is not for concurrent use.
type Ledger struct {
	genesis Genesis
	state   state
}

// New returns the state after block 0: the founders are registered, and those with
// stake hold permits.
func New(g Genesis) (*Ledger, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	encoded, err := g.Encode()
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	l := &Ledger{genesis: g, state: newState(map[string][]byte{})}
	l.state.put(keyGenesis, encoded)
	for i, f := range g.Founders {
		l.place(protocol.UID(i), f.Hotkey, 0, f.Stake)
	}
	l.state.putClock(clockRecord{time: g.Time})
	return l, l.epoch(0)
}

// Genesis returns what the chain began with. Its slices are not to be changed.
func (l *Ledger) Genesis() Genesis { return l.genesis }

// Block returns the number and time of the newest block.
func (l *Ledger) Block() (uint64, time.Time) {
	c := l.state.clock()
	return c.block, c.time
}

// Root commits to the whole state.
func (l *Ledger) Root() protocol.Hash { return l.state.root() }

// Nonce returns the nonce that the hotkey's next transaction must carry.
func (l *Ledger) Nonce(h protocol.Hotkey) uint64 { return l.state.uint64(accountKey(h)) }

// Check returns nil when tx would take effect in the next block, else a *Refusal.
func (l *Ledger) Check(tx []byte) error {
	_, _, refusal := l.judge(tx, l.state.clock().block+1)
	if refusal != nil {
		return refusal
	}
	return nil
}

// Apply appends a block. Its Results stand beside txs. An error means that the driver
// broke its duties; the ledger is not to be used any further.
func (l *Ledger) Apply(block uint64, at time.Time, txs [][]byte) ([]Result, error) {
	clock := l.state.clock()
	if block != clock.block+1 {
		return nil, fmt.Errorf("ledger: block %d does not follow block %d", block, clock.block)
	}
	clear(l.state.touched)
	results := make([]Result, len(txs))
	for i, b := range txs {
		tx, effect, refusal := l.judge(b, block)
		if refusal != nil {
			results[i] = Result{refusal.Code, refusal.Reason}
			continue
		}
		effect()
		l.state.putUint64(accountKey(tx.Hotkey), tx.Nonce+1)
	}
	clock.block, clock.time = block, at
	l.state.putClock(clock)
	if block-clock.lastEpoch >= l.genesis.Tempo {
		if err := l.epoch(block); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// judge decides on a transaction for a block, and returns its effect.
func (l *Ledger) judge(b []byte, block uint64) (tx Tx, effect func(), r *Refusal) {
	tx, err := DecodeTx(b)
	if err != nil {
		return tx, nil, refuse(CodeMalformed, "%v", err)
	}
	if block > tx.Expiry || tx.Expiry-block > MaxLifetime {
		return tx, nil, refuse(CodeExpiry, "expiry block %d: the block is %d, and may be up to %d ahead", tx.Expiry, block, MaxLifetime)
	}
	if want := l.Nonce(tx.Hotkey); tx.Nonce != want {
		return tx, nil, refuse(CodeNonce, "nonce %d, want %d", tx.Nonce, want)
	}
	effect, r = l.rule(tx.Hotkey, tx.Call, block)
	if r != nil {
		return tx, nil, r
	}
	if !tx.Verify(l.genesis.Domain()) { // last, because it costs the most
		return tx, nil, refuse(CodeSignature, "signature is not %v's for chain %q, netuid %d", tx.Hotkey, l.genesis.ChainID, l.genesis.NetUID)
	}
	return tx, effect, nil
}

// Metagraph returns the neurons, ascending by uid.
func (l *Ledger) Metagraph() chain.Metagraph {
	m := chain.Metagraph{Block: l.state.clock().block, Neurons: []chain.Neuron{}}
	for _, n := range l.state.neurons() {
		m.Neurons = append(m.Neurons, n.Neuron)
	}
	return m
}

// Commitments returns everybody's commitment, ascending by uid.
func (l *Ledger) Commitments() []chain.Commitment {
	all := []chain.Commitment{}
	for _, n := range l.state.neurons() {
		if b, ok := l.state.records[commitmentKey(n.Hotkey)]; ok {
			all = append(all, chain.Commitment{Hotkey: n.Hotkey, Block: binary.BigEndian.Uint64(b), Data: slices.Clone(b[8:])})
		}
	}
	return all
}

// Changes walks the records that the newest Apply touched (at first: all of them), in
// no order; nil stands for a deleted one. A driver that keeps them can Restore.
func (l *Ledger) Changes() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for k := range l.state.touched {
			if !yield(k, l.state.records[k]) {
				return
			}
		}
	}
}
