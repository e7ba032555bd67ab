package ledger

import (
	"encoding/binary"

	"templar/protocol"
)

// rule decides whether signer may make the call in a block, and returns its effect.
// It changes nothing itself.
func (l *Ledger) rule(signer protocol.Hotkey, c Call, block uint64) (effect func(), r *Refusal) {
	switch c := c.(type) {
	case Register:
		return l.register(signer, c, block)
	case Stake:
		return l.stake(signer, c)
	case Unstake:
		return l.unstake(signer, c)
	case Commit:
		return l.commit(signer, c, block)
	case SetWeights:
		return l.setWeights(signer, c, block)
	case Vote:
		return l.vote(signer, c)
	case CommitWeights:
		return l.commitWeights(signer, c, block)
	case RevealWeights:
		return l.revealWeights(signer, c, block)
	}
	return nil, refuse(CodeMalformed, "unknown call %T", c)
}

func (l *Ledger) stake(signer protocol.Hotkey, c Stake) (func(), *Refusal) {
	if !l.params.IsAuthority(signer) {
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

func (l *Ledger) unstake(signer protocol.Hotkey, c Unstake) (func(), *Refusal) {
	if signer != c.Hotkey && !l.params.IsAuthority(signer) {
		return nil, refuse(CodeRule, "only an authority of chain %q may take the stake of another, and %v is none", l.genesis.ChainID, signer)
	}
	n, ok := l.state.neuronOf(c.Hotkey)
	if !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", c.Hotkey)
	}
	if c.Amount > n.Stake {
		return nil, refuse(CodeRule, "hotkey %v has a stake of %d, less than %d", c.Hotkey, n.Stake, c.Amount)
	}
	return func() {
		n.Stake -= c.Amount
		l.state.putNeuron(n)
	}, nil
}

func (l *Ledger) commit(signer protocol.Hotkey, c Commit, block uint64) (func(), *Refusal) {
	if _, ok := l.state.neuronOf(signer); !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", signer)
	}
	if len(c.Data) == 0 || len(c.Data) > l.params.CommitmentSize {
		return nil, refuse(CodeRule, "commitment of %d bytes: 1 to %d", len(c.Data), l.params.CommitmentSize)
	}
	if old, ok := l.state.records[commitmentKey(signer)]; ok {
		if next := binary.BigEndian.Uint64(old) + l.params.CommitRateLimit; block < next {
			return nil, refuse(CodeRule, "commitments are rate-limited: hotkey %v may commit again at block %d", signer, next)
		}
	}
	return func() {
		l.state.put(commitmentKey(signer), append(binary.BigEndian.AppendUint64(nil, block), c.Data...))
	}, nil
}

func (l *Ledger) setWeights(signer protocol.Hotkey, c SetWeights, block uint64) (func(), *Refusal) {
	n, ok := l.state.neuronOf(signer)
	if !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", signer)
	}
	if r := l.mayWeigh(n, c, block); r != nil {
		return nil, r
	}
	return func() { l.putWeights(n, c.Entries, block) }, nil
}

func (l *Ledger) mayWeigh(n neuron, c SetWeights, block uint64) *Refusal {
	if l.params.WeightsReveal > 0 {
		return refuse(CodeRule, "weights are committed first on this chain, and revealed %d blocks later", l.params.WeightsReveal)
	}
	if r := l.checkWeights(n, c); r != nil {
		return r
	}
	return l.weightsRate(n.UID, n.LastUpdate, block)
}

// weightsRate refuses weights that come too soon after the last ones.
func (l *Ledger) weightsRate(uid protocol.UID, last, block uint64) *Refusal {
	// As on Bittensor, 0 means never: a founder's first weights need not wait.
	if next := last + l.params.WeightsRateLimit; last != 0 && block < next {
		return refuse(CodeRule, "weights are rate-limited: uid %d may set them again at block %d", uid, next)
	}
	return nil
}

// checkWeights refuses weights that this neuron may not have.
func (l *Ledger) checkWeights(n neuron, c SetWeights) *Refusal {
	if !n.Permit {
		return refuse(CodeRule, "uid %d has no validator permit", n.UID)
	}
	if c.VersionKey < l.params.VersionKey {
		return refuse(CodeRule, "version key %d is below the network's %d", c.VersionKey, l.params.VersionKey)
	}
	count := l.count()
	if len(c.Entries) < max(1, min(l.params.MinWeights, count)) {
		return refuse(CodeRule, "%d weights are too few", len(c.Entries))
	}
	if last := c.Entries[len(c.Entries)-1].UID; int(last) >= count { // they ascend
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
