package ledger_test

import (
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

func secretBench(t *testing.T) bench {
	return newBench(t, func(g *ledger.Genesis) { g.WeightsReveal, g.WeightsRateLimit = 6, 2 })
}

func reveal(salt byte, values ...uint16) ledger.RevealWeights {
	return ledger.RevealWeights{Salt: [32]byte{salt}, Weights: chain.Weights(weights(values...))}
}

func (b bench) commit(w ledger.RevealWeights, of byte) ledger.CommitWeights {
	b.t.Helper()
	g := b.Genesis()
	hash, err := w.Hash(g.Domain(), key(b.t, of).Hotkey())
	if err != nil {
		b.t.Fatal(err)
	}
	return ledger.CommitWeights{Hash: hash}
}

// Weights are secret until the reveal: what a validator could copy from the chain is so many
// blocks old, and a commit cannot be copied at all.
func TestWeightsCannotBeCopiedFromTheChain(t *testing.T) {
	b := secretBench(t)
	honest := reveal(1, 0, 0, 9)
	b.do(1, weights(0, 0, 9), "committed first") // in the open it is refused
	b.do(1, b.commit(honest, 1), "")
	before, _ := b.Block()
	b.do(2, b.commit(honest, 1), "") // the copier takes the hash as its own
	for range 4 {
		b.do(1, honest, "may be revealed in blocks")
	}
	b.do(1, honest, "")
	b.do(2, honest, "no open commit") // and cannot reveal what it was of
	if now, _ := b.Block(); now-before < 6 {
		t.Fatalf("revealed after %d blocks", now-before)
	}
	if n, _ := b.byHotkey(key(t, 1).Hotkey()); n.LastUpdate != before {
		t.Errorf("last update %d, want the commit's block %d", n.LastUpdate, before)
	}
	if n, _ := b.byHotkey(key(t, 2).Hotkey()); n.LastUpdate != 0 {
		t.Errorf("the copier has weights of block %d", n.LastUpdate)
	}
}

func TestRevealRules(t *testing.T) {
	b := secretBench(t)
	b.do(3, b.commit(reveal(1, 1), 3), "permit")
	b.do(9, b.commit(reveal(1, 1), 9), "not registered")
	b.do(1, reveal(1, 1), "no open commit")
	first, second := reveal(1, 1, 2, 3), reveal(2, 3, 2, 1)
	b.do(1, b.commit(first, 1), "")
	b.do(1, b.commit(second, 1), "rate-limited")
	b.do(1, b.commit(second, 1), "")
	b.do(1, second, "may be revealed in blocks") // others could copy it
	for range 6 {
		b.block()
	}
	b.do(1, reveal(1, 1, 2, 4), "no open commit") // other values
	b.do(1, reveal(3, 1, 2, 3), "no open commit") // another salt
	b.do(1, second, "")
	b.do(1, first, "no open commit") // out of date
}

func TestOpenCommitsAreBounded(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.WeightsReveal, g.WeightsRateLimit = 5000, 0 })
	for i := range byte(10) {
		b.do(1, b.commit(reveal(i, 1), 1), "")
	}
	b.do(1, b.commit(reveal(20, 1), 1), "10 commits")
	late := newBench(t, func(g *ledger.Genesis) { g.WeightsReveal, g.WeightsRateLimit = 1, 0 })
	w := reveal(1, 1, 1, 1)
	late.do(1, late.commit(w, 1), "")
	for range 2*ledger.MaxLifetime + 2 {
		late.block()
	}
	late.do(1, w, "may be revealed in blocks")
	late.do(1, late.commit(reveal(2, 1), 1), "")
}

// The weights say nothing about a neuron that registered after their commit.
func TestRevealIsAsOfItsCommit(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) {
		g.WeightsReveal, g.WeightsRateLimit, g.MaxNeurons, g.ImmunityPeriod = 2, 0, 3, 1
	})
	b.block()
	w := reveal(1, 0, 0, 9)
	b.do(1, b.commit(w, 1), "")
	b.do(7, ledger.Register{}, "") // takes the slot of a founder
	b.block()
	var uid protocol.UID
	if n, ok := b.byHotkey(key(t, 7).Hotkey()); !ok {
		t.Fatal("not registered")
	} else {
		uid = n.UID
	}
	if _, ok := b.byHotkey(key(t, 1).Hotkey()); !ok {
		t.Skip("the newcomer took the validator's own slot")
	}
	b.do(1, w, "")
	for range 10 {
		b.block()
	}
	if n := b.Metagraph().Neurons[uid]; n.Incentive != 0 {
		t.Errorf("a newcomer has the incentive of the one before: %+v", n)
	}
}

// Registrations of made-up hotkeys cost work, for each hotkey and now.
func TestRegistrationWork(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.RegistrationWork, g.MaxNeurons = 5, 64 })
	b.block()
	g := b.Genesis()
	solve := func(n byte) uint64 {
		for nonce := uint64(1); ; nonce++ {
			if b.Work().Solves(g.Domain(), key(t, n).Hotkey(), nonce) {
				return nonce
			}
		}
	}
	b.do(4, ledger.Register{}, "proof of work of 5 bits")
	work := solve(4)
	b.do(4, ledger.Register{Work: work ^ 1<<40}, "proof of work")
	b.do(5, ledger.Register{Work: work}, "proof of work") // another's, unless by chance
	b.do(4, ledger.Register{Work: work}, "")
	b.do(0, ledger.Register{Hotkey: key(t, 6).Hotkey()}, "") // an authority vouches for it
	ahead := solve(7)
	for range 65 {
		b.block()
	}
	b.do(7, ledger.Register{Work: ahead}, "") // the seed before counts
	ahead = solve(8)
	for range 130 {
		b.block()
	}
	b.do(8, ledger.Register{Work: ahead}, "valid now")
	tx := b.tx(8, ledger.Register{Work: solve(8)})
	begun := time.Now()
	b.block(tx)
	t.Logf("a block with one proof of work: %v", time.Since(begun))
	if _, err := ledger.DecodeTx(append(tx[:0:0], tx...)); err != nil {
		t.Error(err)
	}
}
