package ledger

import (
	"encoding/binary"

	"templar/internal/chain"
	"templar/internal/chain/ledger/yuma"
	"templar/protocol"
)

// rule decides whether signer may make the call in a block, and returns its effect.
// It changes nothing itself.
func (l *Ledger) rule(signer protocol.Hotkey, c chain.Call, block uint64) (effect func(), r *Refusal) {
	switch c := c.(type) {
	case chain.Register:
		return l.register(signer, block)
	case chain.Stake:
		return l.stake(signer, c)
	case chain.Commit:
		return l.commit(signer, c, block)
	case chain.SetWeights:
		return l.setWeights(signer, c, block)
	}
	return nil, refuse(CodeMalformed, "unknown call %T", c)
}

func (l *Ledger) register(signer protocol.Hotkey, block uint64) (func(), *Refusal) {
	if n, ok := l.state.neuronOf(signer); ok {
		return nil, refuse(CodeRule, "hotkey %v is registered already, with uid %d", signer, n.UID)
	}
	if !l.genesis.OpenRegistration && !l.genesis.isAuthority(signer) {
		return nil, refuse(CodeRule, "registration is closed: ask an authority of chain %q to admit hotkey %v", l.genesis.ChainID, signer)
	}
	return func() { l.place(l.slot(block), signer, block, 0) }, nil
}

// slot returns the uid for a new neuron, evicting one when the subnet is full.
func (l *Ledger) slot(block uint64) protocol.UID {
	all := l.state.neurons()
	if len(all) < l.genesis.MaxNeurons {
		return protocol.UID(len(all))
	}
	worst := all[0]
	for _, n := range all[1:] {
		if l.replacedBefore(n, worst, block) {
			worst = n
		}
	}
	l.evict(worst, all)
	return worst.UID
}

// replacedBefore orders neurons for eviction: those past immunity first, then by
// lowest emission, then by older registration. The caller goes by ascending uid.
func (l *Ledger) replacedBefore(a, b neuron, block uint64) bool {
	immune := func(n neuron) bool { return block-n.Registered < l.genesis.ImmunityPeriod }
	if immune(a) != immune(b) {
		return immune(b)
	}
	if a.Emission != b.Emission {
		return a.Emission < b.Emission
	}
	return a.Registered < b.Registered
}

// evict removes all that a neuron left but its account: the nonce keeps old
// transactions from being replayed.
func (l *Ledger) evict(n neuron, all []neuron) {
	l.state.del(hotkeyKey(n.Hotkey))
	l.state.del(commitmentKey(n.Hotkey))
	l.state.putRow(keyWeights, n.UID, nil)
	l.state.putRow(keyBonds, n.UID, nil)
	for _, other := range all {
		row := l.state.row(keyWeights, other.UID)
		for i, e := range row {
			if e.UID == uint16(n.UID) && e.Value != 0 {
				row[i].Value = 0
				l.state.putRow(keyWeights, other.UID, row)
			}
		}
	}
}

// place writes a new neuron into a slot.
func (l *Ledger) place(uid protocol.UID, h protocol.Hotkey, block, stake uint64) {
	l.state.put(hotkeyKey(h), binary.BigEndian.AppendUint16(nil, uint16(uid)))
	l.state.putNeuron(neuron{Neuron: chain.Neuron{UID: uid, Hotkey: h, Stake: stake, Registered: block, LastUpdate: block}})
}

func (l *Ledger) stake(signer protocol.Hotkey, c chain.Stake) (func(), *Refusal) {
	if !l.genesis.isAuthority(signer) {
		return nil, refuse(CodeRule, "only an authority of chain %q may add stake, and %v is none", l.genesis.ChainID, signer)
	}
	n, ok := l.state.neuronOf(c.Hotkey)
	if !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", c.Hotkey)
	}
	left := uint64(maxTotalStake)
	for _, other := range l.state.neurons() {
		left -= other.Stake
	}
	if c.Amount > left {
		return nil, refuse(CodeRule, "stake of %d is over what is left, %d", c.Amount, left)
	}
	return func() {
		n.Stake += c.Amount
		l.state.putNeuron(n)
	}, nil
}

func (l *Ledger) commit(signer protocol.Hotkey, c chain.Commit, block uint64) (func(), *Refusal) {
	if _, ok := l.state.neuronOf(signer); !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", signer)
	}
	if len(c.Data) == 0 || len(c.Data) > l.genesis.CommitmentSize {
		return nil, refuse(CodeRule, "commitment of %d bytes: 1 to %d", len(c.Data), l.genesis.CommitmentSize)
	}
	return func() {
		l.state.put(commitmentKey(signer), append(binary.BigEndian.AppendUint64(nil, block), c.Data...))
	}, nil
}

func (l *Ledger) setWeights(signer protocol.Hotkey, c chain.SetWeights, block uint64) (func(), *Refusal) {
	n, ok := l.state.neuronOf(signer)
	if !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", signer)
	}
	if r := l.mayWeigh(n, c, block); r != nil {
		return nil, r
	}
	return func() {
		values := make([]uint16, len(c.Weights))
		for i, w := range c.Weights {
			values[i] = w.Value
		}
		row := make([]yuma.Entry, len(c.Weights))
		for i, v := range yuma.MaxUpscale(values) {
			row[i] = yuma.Entry{UID: uint16(c.Weights[i].UID), Value: v}
		}
		n.LastUpdate = block
		l.state.putNeuron(n)
		l.state.putRow(keyWeights, n.UID, row)
	}, nil
}

func (l *Ledger) mayWeigh(n neuron, c chain.SetWeights, block uint64) *Refusal {
	if !n.Permit {
		return refuse(CodeRule, "uid %d has no validator permit", n.UID)
	}
	if c.VersionKey < l.genesis.VersionKey {
		return refuse(CodeRule, "version key %d is below the network's %d", c.VersionKey, l.genesis.VersionKey)
	}
	// As on Bittensor, 0 means never: a founder's first weights need not wait.
	if next := n.LastUpdate + l.genesis.WeightsRateLimit; n.LastUpdate != 0 && block < next {
		return refuse(CodeRule, "weights are rate-limited: uid %d may set them again at block %d", n.UID, next)
	}
	count := l.count()
	if len(c.Weights) < max(1, min(l.genesis.MinWeights, count)) {
		return refuse(CodeRule, "%d weights are too few", len(c.Weights))
	}
	if last := c.Weights[len(c.Weights)-1].UID; int(last) >= count { // they ascend
		return refuse(CodeRule, "weight for unknown uid %d", last)
	}
	return nil
}

// count is the number of registered neurons.
func (l *Ledger) count() int {
	n := 0
	for {
		if _, ok := l.state.records[uidKey(keyNeuron, protocol.UID(n))]; !ok {
			return n
		}
		n++
	}
}
