package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"templar/internal/chain"
	"templar/internal/chain/ledger/yuma"
	"templar/protocol"
)

// With Params.WeightsReveal, a validator first commits to its weights and reveals them that
// many blocks later, so that a validator which copies the weights of others is late by as
// many blocks. Weights count from their reveal on, as if set in the block of the commit: they
// say nothing about a neuron that registered in between.

// revealWindow is how many blocks a reveal may come late.
const revealWindow = 2 * MaxLifetime

// CommitWeights binds the signer to weights. Several may wait for their reveal.
type CommitWeights struct{ Hash protocol.Hash }

// RevealWeights shows the weights of the signer's commit, which come into effect.
type RevealWeights struct {
	Salt    [32]byte // random, and secret until the reveal
	Weights chain.Weights
}

func (CommitWeights) call() {}
func (RevealWeights) call() {}

// Hash is what a hotkey commits to. The hotkey is part of it, so that a commit cannot be
// copied.
func (w RevealWeights) Hash(d Domain, h protocol.Hotkey) (protocol.Hash, error) {
	_, body, err := encodeCall(w)
	if err != nil {
		return protocol.Hash{}, err
	}
	m := append([]byte("templar weights\x00"), byte(len(d.ChainID)))
	m = append(m, d.ChainID...)
	m = binary.LittleEndian.AppendUint16(m, d.NetUID)
	return sha256.Sum256(append(append(m, h[:]...), body...)), nil
}

// RevealFrom and RevealUntil are the first and the last block in which the weights of a commit
// may be revealed.
func (p *Params) RevealFrom(commit uint64) uint64 { return commit + p.WeightsReveal }

// RevealUntil is the last of these blocks.
func (p *Params) RevealUntil(commit uint64) uint64 { return p.RevealFrom(commit) + revealWindow }

// sealed is a commit of weights that is not revealed.
type sealed struct {
	block uint64
	hash  protocol.Hash
}

const (
	sealedSize = 8 + 32
	maxSealed  = 10 // commits of a neuron that wait for their reveal
)

// sealed returns a neuron's commits, ascending by block.
func (s *state) sealed(uid protocol.UID) (all []sealed) {
	for b := s.records[uidKey(keySealed, uid)]; len(b) >= sealedSize; b = b[sealedSize:] {
		all = append(all, sealed{binary.BigEndian.Uint64(b), protocol.Hash(b[8:sealedSize])})
	}
	return all
}

func (s *state) putSealed(uid protocol.UID, all []sealed) {
	if len(all) == 0 {
		s.del(uidKey(keySealed, uid))
		return
	}
	var b []byte
	for _, c := range all {
		b = append(binary.BigEndian.AppendUint64(b, c.block), c.hash[:]...)
	}
	s.put(uidKey(keySealed, uid), b)
}

func (l *Ledger) commitWeights(signer protocol.Hotkey, c CommitWeights, block uint64) (func(), *Refusal) {
	if l.params.WeightsReveal == 0 {
		return nil, refuse(CodeRule, "weights are set in the open on this chain")
	}
	n, ok := l.state.neuronOf(signer)
	if !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", signer)
	}
	if !n.Permit {
		return nil, refuse(CodeRule, "uid %d has no validator permit", n.UID)
	}
	last, open := n.LastUpdate, l.state.sealed(n.UID)
	for len(open) > 0 && l.params.RevealUntil(open[0].block) < block {
		open = open[1:]
	}
	if len(open) > 0 {
		last = open[len(open)-1].block
	}
	if len(open) >= maxSealed {
		return nil, refuse(CodeRule, "uid %d has %d commits of weights that are not revealed", n.UID, len(open))
	}
	if r := l.weightsRate(n.UID, last, block); r != nil {
		return nil, r
	}
	return func() { l.state.putSealed(n.UID, append(open, sealed{block, c.Hash})) }, nil
}

func (l *Ledger) revealWeights(signer protocol.Hotkey, c RevealWeights, block uint64) (func(), *Refusal) {
	n, ok := l.state.neuronOf(signer)
	if !ok {
		return nil, refuse(CodeRule, "hotkey %v is not registered", signer)
	}
	hash, err := c.Hash(l.genesis.Domain(), signer)
	open := l.state.sealed(n.UID)
	at := slices.IndexFunc(open, func(s sealed) bool { return s.hash == hash })
	if err != nil || at < 0 {
		return nil, refuse(CodeRule, "uid %d has no open commit of these weights", n.UID)
	}
	commit := open[at]
	if first, last := l.params.RevealFrom(commit.block), l.params.RevealUntil(commit.block); block < first || block > last {
		return nil, refuse(CodeRule, "the weights of block %d may be revealed in blocks %d to %d", commit.block, first, last)
	}
	if r := l.checkWeights(n, SetWeights(c.Weights)); r != nil {
		return nil, r
	}
	return func() {
		l.state.putSealed(n.UID, open[at+1:]) // earlier ones are out of date
		l.putWeights(n, c.Weights.Entries, commit.block)
	}, nil
}

// putWeights stores weights as of a block.
func (l *Ledger) putWeights(n neuron, entries []chain.Weight, block uint64) {
	values := make([]uint16, len(entries))
	for i, w := range entries {
		values[i] = w.Value
	}
	row := make([]yuma.Entry, len(entries))
	for i, v := range yuma.MaxUpscale(values) {
		row[i] = yuma.Entry{UID: uint16(entries[i].UID), Value: v}
	}
	n.LastUpdate = block
	l.state.putNeuron(n)
	l.state.putRow(keyWeights, n.UID, row)
}
