package ledger_test

import (
	"testing"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

// full is a subnet of 256 neurons, 64 of them validators that weigh all others.
func full(b *testing.B) bench {
	l := newBench(b, func(g *ledger.Genesis) {
		g.Founders, g.MaxNeurons, g.Tempo = nil, 256, 1
		for i := range 256 {
			f := ledger.Founder{Hotkey: key(b, byte(i)).Hotkey()}
			if i < 64 {
				f.Stake = uint64(1000 + i)
			}
			g.Founders = append(g.Founders, f)
		}
	})
	var all ledger.SetWeights
	for uid := range protocol.UID(256) {
		all.Entries = append(all.Entries, chain.Weight{UID: uid, Value: uint16(uid) + 1})
	}
	var txs [][]byte
	for i := range 64 {
		txs = append(txs, l.tx(byte(i), all))
	}
	for _, r := range l.block(txs...) {
		if r.Code != ledger.CodeOK {
			b.Fatal(r)
		}
	}
	return l
}

// BenchmarkEpoch256 is a block that ends an epoch, with its state root.
func BenchmarkEpoch256(b *testing.B) {
	l := full(b)
	for b.Loop() {
		l.block()
		l.Root()
	}
}

// BenchmarkCommits256 is a block in which every neuron commits, signatures included.
func BenchmarkCommits256(b *testing.B) {
	l := full(b)
	for b.Loop() {
		b.StopTimer()
		var txs [][]byte
		for i := range 256 {
			txs = append(txs, l.tx(byte(i), ledger.Commit{Data: make([]byte, 512)}))
		}
		b.StartTimer()
		l.block(txs...)
		l.Root()
	}
}
