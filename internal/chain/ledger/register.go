package ledger

import (
	"encoding/binary"

	"templar/internal/chain"
	"templar/protocol"
)

// register admits a hotkey. Without fees, three rules bound what a flood of made-up
// hotkeys can do: a few registrations a block, no registration while half of a full
// subnet is immune, and accounts that are forgotten (forget).
func (l *Ledger) register(signer protocol.Hotkey, c Register, block uint64) (func(), *Refusal) {
	hotkey := c.Hotkey
	if hotkey.IsZero() {
		hotkey = signer
	}
	if err := hotkey.Validate(); err != nil {
		return nil, refuse(CodeRule, "%v", err)
	}
	if n, ok := l.state.neuronOf(hotkey); ok {
		return nil, refuse(CodeRule, "hotkey %v is registered already, with uid %d", hotkey, n.UID)
	}
	if authority := l.params.IsAuthority(signer); !authority && (!l.params.OpenRegistration || hotkey != signer) {
		return nil, refuse(CodeRule, "registration is closed: ask an authority of chain %q to register hotkey %v", l.genesis.ChainID, hotkey)
	}
	if l.registered >= l.params.MaxRegistrations {
		return nil, refuse(CodeBusy, "the block has its %d registrations", l.params.MaxRegistrations)
	}
	uid, worst, r := l.slot(block)
	if r == nil && !l.params.IsAuthority(signer) {
		r = l.worked(hotkey, c.Work)
	}
	if r != nil {
		return nil, r
	}
	return func() {
		if worst != nil {
			l.evict(*worst, block)
		}
		l.place(chain.Neuron{UID: uid, Hotkey: hotkey, Coldkey: c.Coldkey, Registered: block, LastUpdate: block})
		l.registered++
	}, nil
}

// slot returns the uid for a new neuron, and whom it replaces when the subnet is full:
// of those past immunity the one with the lowest emission, then the oldest.
func (l *Ledger) slot(block uint64) (uid protocol.UID, worst *neuron, r *Refusal) {
	all := l.state.neurons()
	if len(all) < l.params.MaxNeurons {
		return protocol.UID(len(all)), nil, nil
	}
	immune := 0
	for i, n := range all {
		switch {
		case block-n.Registered < l.params.ImmunityPeriod:
			immune++
		case worst == nil, n.Emission < worst.Emission, n.Emission == worst.Emission && n.Registered < worst.Registered:
			worst = &all[i]
		}
	}
	// Otherwise newcomers could displace all neurons, the best one last.
	if worst == nil || 2*immune > len(all) {
		return 0, nil, refuse(CodeRule, "the subnet is full, and %d of %d neurons are too new to be replaced", immune, len(all))
	}
	return worst.UID, worst, nil
}

// evict removes all that a neuron left but its account, which forget removes later:
// the nonce keeps old transactions from being replayed.
func (l *Ledger) evict(n neuron, block uint64) {
	l.state.del(hotkeyKey(n.Hotkey))
	l.state.del(commitmentKey(n.Hotkey))
	l.state.del(uidKey(keySealed, n.UID))
	l.state.putRow(keyWeights, n.UID, nil)
	l.state.putRow(keyBonds, n.UID, nil)
	for _, other := range l.state.neurons() {
		row := l.state.row(keyWeights, other.UID)
		for i, e := range row {
			if e.UID == uint16(n.UID) && e.Value != 0 {
				row[i].Value = 0
				l.state.putRow(keyWeights, other.UID, row)
			}
		}
	}
	old := l.state.records[retiredKey(block)]
	l.state.put(retiredKey(block), append(old[:len(old):len(old)], n.Hotkey[:]...))
}

// forget drops the accounts of hotkeys that lost their slot so long ago that their
// transactions have expired. One that signed or registered since is left for its own
// turn.
func (l *Ledger) forget(block uint64) {
	if block <= MaxLifetime {
		return
	}
	key := retiredKey(block - MaxLifetime - 1)
	for b := l.state.records[key]; len(b) > 0; b = b[len(protocol.Hotkey{}):] {
		h := protocol.Hotkey(b[:len(protocol.Hotkey{})])
		_, registered := l.state.neuronOf(h)
		if !registered && !l.params.IsAuthority(h) && l.state.account(h).last+MaxLifetime < block {
			l.state.del(accountKey(h))
		}
	}
	l.state.del(key)
}

// place writes a new neuron into a slot.
func (l *Ledger) place(n chain.Neuron) {
	l.state.put(hotkeyKey(n.Hotkey), binary.BigEndian.AppendUint16(nil, uint16(n.UID)))
	l.state.putNeuron(neuron{Neuron: n})
}
