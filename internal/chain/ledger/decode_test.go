package ledger_test

import (
	"bytes"
	"strings"
	"testing"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

// cannedSigner encodes without a key.
type cannedSigner struct {
	hotkey protocol.Hotkey
	sig    protocol.Signature
}

func (s cannedSigner) Hotkey() protocol.Hotkey                 { return s.hotkey }
func (s cannedSigner) Sign([]byte) (protocol.Signature, error) { return s.sig, nil }

// FuzzDecodeTx: whatever decodes has exactly one encoding, and never takes effect on a
// chain that did not sign it.
func FuzzDecodeTx(f *testing.F) {
	b := newBench(f, nil)
	f.Add(b.tx(1, ledger.Register{}))
	f.Add(b.tx(0, ledger.Stake{Hotkey: key(f, 1).Hotkey(), Amount: 1}))
	f.Add(b.tx(0, ledger.Unstake{Hotkey: key(f, 1).Hotkey(), Amount: 1}))
	f.Add(b.tx(0, ledger.Vote{Params: []byte(`{"tempo":7}`)}))
	f.Add(b.tx(1, ledger.Commit{Data: []byte("bucket")}))
	f.Add(b.tx(1, weights(0, 3, 2, 1)))
	f.Add([]byte{})
	root := b.Root()
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = b.Check(raw)
		if b.Root() != root {
			t.Fatal("Check changed the state")
		}
		tx, err := ledger.DecodeTx(raw)
		if err != nil {
			return
		}
		again, err := ledger.NewTx(cannedSigner{tx.Hotkey, tx.Signature}, ledger.Domain{}, tx.Nonce, tx.Expiry, tx.Call)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("encodes to %x (%v), was %x", again, err, raw)
		}
	})
}

// FuzzDecodeSnapshot: whatever restores has one encoding and can go on.
func FuzzDecodeSnapshot(f *testing.F) {
	b := newBench(f, nil)
	b.block(b.tx(1, ledger.Commit{Data: []byte("bucket")}), b.tx(2, weights(3, 0, 1)))
	f.Add(b.Snapshot())
	f.Add([]byte("templar ledger 1\n"))
	b.block(b.tx(0, ledger.Vote{Params: tempo(f, b, 9)}))
	f.Add(b.Snapshot())
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ledger.DecodeSnapshot(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(l.Snapshot(), raw) {
			t.Fatal("another encoding of the same state")
		}
		n, at := l.Block()
		if n < 1<<60 {
			if _, err := l.Apply(n+1, at, nil); err != nil {
				t.Fatal(err)
			}
		}
		l.Metagraph()
		l.Commitments()
	})
}

func TestDecodeTxRefuses(t *testing.T) {
	b := newBench(t, nil)
	commit, set := b.tx(1, ledger.Commit{Data: []byte("x")}), b.tx(1, weights(1, 2))
	edit := func(tx []byte, f func([]byte) []byte) []byte { return f(bytes.Clone(tx)) }
	for name, c := range map[string]struct {
		tx   []byte
		want string
	}{
		"too short": {commit[:100], "bytes"},
		"too long":  {make([]byte, ledger.MaxTxSize+1), "bytes"},
		"version":   {edit(commit, func(b []byte) []byte { b[0] = 2; return b }), "version 2"},
		"kind":      {edit(commit, func(b []byte) []byte { b[1] = 9; return b }), "unknown kind 9"},
		"register":  {edit(commit, func(b []byte) []byte { b[1] = 1; return b }), "register body"},
		"stake":     {edit(commit, func(b []byte) []byte { b[1] = 2; return b }), "stake body"},
		"weights":   {edit(commit, func(b []byte) []byte { b[1] = 4; return b }), "weights body"},
		"order":     {edit(set, func(b []byte) []byte { b[58] = 1; return b }), "ascending"},
	} {
		if _, err := ledger.DecodeTx(c.tx); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, c.want)
		}
	}
	twice := ledger.SetWeights{Entries: []chain.Weight{{UID: 1, Value: 1}, {UID: 1, Value: 2}}}
	if _, err := ledger.NewTx(key(t, 1), ledger.Domain{}, 0, 1, twice); err == nil {
		t.Error("two weights for one uid were encoded")
	}
}

func TestGenesisRefuses(t *testing.T) {
	good := genesis(t)
	raw, err := good.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ledger.DecodeGenesis(raw)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := good.Hash(); true {
		if b, _ := back.Hash(); a != b {
			t.Error("the hash changes over encoding")
		}
	}
	if _, err := ledger.DecodeGenesis([]byte(`{"unheard_of":1}`)); err == nil {
		t.Error("unknown key accepted")
	}
	for name, spoil := range map[string]func(*ledger.Genesis){
		"chain_id":        func(g *ledger.Genesis) { g.ChainID = "" },
		"tempo":           func(g *ledger.Genesis) { g.Tempo = 0 },
		"commitment_size": func(g *ledger.Genesis) { g.CommitmentSize = 127 },
		"max_neurons":     func(g *ledger.Genesis) { g.MaxNeurons = 2 },
		"appears twice":   func(g *ledger.Genesis) { g.Founders = append(g.Founders, g.Founders[0]) },
		"authorities":     func(g *ledger.Genesis) { g.Authorities = make([]protocol.Hotkey, 65) },
		"authority":       func(g *ledger.Genesis) { g.Authorities = append(g.Authorities, g.Authorities[0]) },
		"max_regist":      func(g *ledger.Genesis) { g.MaxRegistrations = 0 },
		"alpha_low":       func(g *ledger.Genesis) { g.AlphaLow = 65535 },
		"in all":          func(g *ledger.Genesis) { g.Founders[0].Stake = 1 << 63 },
	} {
		g := genesis(t)
		spoil(&g)
		if _, err := ledger.New(g); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// FuzzDecodeGenesis: what decodes has one canonical form and makes a chain.
func FuzzDecodeGenesis(f *testing.F) {
	g := genesis(f)
	raw, err := g.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"chain_id":"x","tempo":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := ledger.DecodeGenesis(raw)
		if err != nil {
			return
		}
		once, err := g.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ledger.DecodeGenesis(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s, then %s, %v", once, twice, err)
		}
		if l, err := ledger.New(g); err == nil {
			if _, err := ledger.DecodeSnapshot(l.Snapshot()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzVerifyProof: no proof shows anything but what stands in the state.
func FuzzVerifyProof(f *testing.F) {
	b := newBench(f, nil)
	b.block(b.tx(1, ledger.Commit{Data: []byte("bucket")}), b.tx(2, weights(3, 0, 1)))
	tree := b.Tree()
	for _, prefix := range []string{ledger.PrefixNeurons, ledger.PrefixCommitments, "unknown"} {
		f.Add(prefix, tree.Prove(prefix))
	}
	f.Fuzz(func(t *testing.T, prefix string, proof []byte) {
		got, err := ledger.Verify(tree.Root(), prefix, proof)
		if err != nil {
			return
		}
		if !bytes.Equal(tree.Prove(prefix), proof) {
			t.Fatalf("another proof for %q shows %v", prefix, got)
		}
	})
}
