package ledger

import (
	"fmt"
	"iter"
	"maps"
	"time"

	"templar/internal/chain"
	"templar/protocol"
)

// Ledger is the state of a chain after a block. It is not for concurrent use.
type Ledger struct {
	genesis    Genesis
	params     Params // as they stand
	state      state
	registered int // in the block at hand
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
	if err := l.adopt(g.Params); err != nil {
		return nil, err
	}
	for i, f := range g.Founders {
		l.place(chain.Neuron{UID: protocol.UID(i), Hotkey: f.Hotkey, Coldkey: f.Coldkey, Stake: f.Stake})
	}
	l.state.putClock(clockRecord{time: g.Time})
	l.renewWork(0, g.Time)
	return l, l.epoch(0)
}

// Genesis returns what the chain began with. Its slices are not to be changed.
func (l *Ledger) Genesis() Genesis { return l.genesis }

// Params returns the parameters as they stand. Its slices are not to be changed.
func (l *Ledger) Params() Params { return l.params }

// Block returns the number and time of the newest block.
func (l *Ledger) Block() (uint64, time.Time) {
	c := l.state.clock()
	return c.block, c.time
}

// Root commits to the whole state.
func (l *Ledger) Root() protocol.Hash { return l.Tree().Root() }

// Nonce returns the nonce that the hotkey's next transaction must carry.
func (l *Ledger) Nonce(h protocol.Hotkey) uint64 { return l.state.account(h).nonce }

// Check returns nil when tx would take effect as the first of the next block, else a
// *Refusal.
func (l *Ledger) Check(tx []byte) error {
	l.registered = 0
	_, _, refusal := l.judge(tx, l.state.clock().block+1)
	if refusal != nil {
		return refusal
	}
	return nil
}

// Admissible returns nil when the transaction, if its signature is good, would take effect
// as the first of the next block.
func (l *Ledger) Admissible(tx *Tx) *Refusal {
	l.registered = 0
	_, refusal := l.admit(tx, l.state.clock().block+1)
	return refusal
}

// Copy returns a ledger that later blocks of this one do not change. It is for reading, and
// safe for concurrent use.
func (l *Ledger) Copy() *Ledger {
	return &Ledger{genesis: l.genesis, params: l.params, state: newState(maps.Clone(l.state.records))}
}

// Apply appends a block. Its Results stand beside txs. An error means that the driver
// broke its duties; the ledger is not to be used any further.
func (l *Ledger) Apply(block uint64, at time.Time, txs [][]byte) ([]Result, error) {
	clock := l.state.clock()
	if block != clock.block+1 {
		return nil, fmt.Errorf("ledger: block %d does not follow block %d", block, clock.block)
	}
	clear(l.state.touched)
	l.registered = 0
	results := make([]Result, len(txs))
	for i, b := range txs {
		tx, effect, refusal := l.judge(b, block)
		if refusal != nil {
			results[i] = Result{refusal.Code, refusal.Reason}
			continue
		}
		effect()
		l.state.putAccount(tx.Hotkey, account{nonce: tx.Nonce + 1, last: block})
	}
	l.forget(block)
	l.renewWork(block, at)
	clock.block, clock.time = block, at
	l.state.putClock(clock)
	if block-clock.lastEpoch >= l.params.Tempo {
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
	if effect, r = l.admit(&tx, block); r != nil {
		return tx, nil, r
	}
	if domain := l.genesis.Domain(); !tx.Verify(domain) { // last, because it costs the most
		return tx, nil, domain.WrongSignature(tx.Hotkey)
	}
	return tx, effect, nil
}

// admit judges all but the signature.
func (l *Ledger) admit(tx *Tx, block uint64) (effect func(), r *Refusal) {
	if block > tx.Expiry || tx.Expiry-block > MaxLifetime {
		return nil, refuse(CodeExpiry, "expiry block %d: the block is %d, and may be up to %d ahead", tx.Expiry, block, MaxLifetime)
	}
	if want := l.Nonce(tx.Hotkey); tx.Nonce != want {
		return nil, refuse(CodeNonce, "nonce %d, want %d", tx.Nonce, want)
	}
	return l.rule(tx.Hotkey, tx.Call, block)
}

// WrongSignature refuses a transaction whose signature is not the hotkey's.
func (d Domain) WrongSignature(h protocol.Hotkey) *Refusal {
	return refuse(CodeSignature, "signature is not %v's for chain %q, netuid %d", h, d.ChainID, d.NetUID)
}

// Metagraph returns the neurons, ascending by uid.
func (l *Ledger) Metagraph() chain.Metagraph { return l.state.metagraph(l.state.clock().block) }

// Commitments returns all neurons' commitments, ascending by uid.
func (l *Ledger) Commitments() []chain.Commitment { return l.state.commitments() }

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
