package ledger_test

import (
	"math/rand/v2"
	"testing"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

// The root is the same on every architecture; a change here means that chains of the
// old and the new code would part.
func TestGoldenRoot(t *testing.T) {
	b := newBench(t, nil)
	b.do(4, ledger.Register{}, "")
	b.do(4, ledger.Commit{Data: []byte("bucket")}, "")
	b.do(1, weights(0, 3, 2, 1), "")
	b.do(0, ledger.Stake{Hotkey: key(t, 4).Hotkey(), Amount: 77}, "")
	for range 5 {
		b.block()
	}
	expectRoot(t, b, "c9f56fd3aa8be15fc308696028d39ee069ee50c358c4b2c28721749b860703c5")
}

// A long log of every kind of transaction, with epochs of both kinds of bonds.
func TestGoldenLog(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := newBench(t, func(g *ledger.Genesis) {
		g.MaxNeurons, g.ImmunityPeriod, g.WeightsRateLimit, g.BondsPenalty = 12, 9, 2, 20000
	})
	random := func() ledger.Call {
		someone := key(t, byte(rng.IntN(16))).Hotkey()
		switch rng.IntN(8) {
		case 0:
			return ledger.Register{}
		case 1:
			return ledger.Commit{Data: []byte{byte(rng.IntN(256))}}
		case 2:
			return ledger.Stake{Hotkey: someone, Amount: rng.Uint64N(5000)}
		case 3:
			return ledger.Unstake{Hotkey: someone, Amount: rng.Uint64N(1000)}
		default:
			var w ledger.SetWeights
			for uid := range protocol.UID(len(b.Metagraph().Neurons)) {
				if rng.IntN(3) > 0 {
					w.Entries = append(w.Entries, chain.Weight{UID: uid, Value: uint16(rng.UintN(65536))})
				}
			}
			return w
		}
	}
	applied := map[ledger.Code]int{}
	step := func(blocks int) {
		for range blocks {
			var txs [][]byte
			for signer := range byte(16) {
				if rng.IntN(4) == 0 {
					txs = append(txs, b.tx(signer, random()))
				}
			}
			for _, r := range b.block(txs...) {
				applied[r.Code]++
			}
		}
	}
	step(150)
	p := b.Params()
	p.Yuma3, p.LiquidAlpha = true, true
	raw, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b.do(0, ledger.Vote{Params: raw}, "")
	step(150)
	if applied[ledger.CodeOK] < 100 {
		t.Errorf("%v: the log shows little", applied)
	}
	expectRoot(t, b, "2d85e1e05e613ee085b944638fbbf72dbfa32e2b691ab389e15e48c9bc10601c")
}

func expectRoot(t *testing.T, b bench, want string) {
	t.Helper()
	if got := b.Root().String(); got != want {
		t.Errorf("root %s, want %s", got, want)
	}
}
