package ledger_test

import (
	"strings"
	"testing"

	"templar/internal/chain/ledger"
	"templar/protocol"
)

func TestAuthorityRegistersOthers(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.OpenRegistration = false })
	guest, owner := key(t, 9).Hotkey(), key(t, 8).Hotkey()
	b.do(9, ledger.Register{}, "closed")
	b.do(1, ledger.Register{Hotkey: guest}, "closed")
	b.do(0, ledger.Register{Hotkey: guest, Coldkey: owner}, "")
	if n, ok := b.byHotkey(guest); !ok || n.Coldkey != owner {
		t.Errorf("%+v", n)
	}
	open := newBench(t, nil)
	open.do(1, ledger.Register{Hotkey: guest}, "closed") // no hotkey is registered without its signature
}

func TestImmuneNeuronsStay(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.MaxNeurons, g.ImmunityPeriod = 4, 10 })
	for range 10 {
		b.block()
	}
	b.do(4, ledger.Register{}, "") // block 11 fills the subnet
	b.do(5, ledger.Register{}, "") // for uid 2
	b.do(6, ledger.Register{}, "") // for uid 1: it has stake, but no emission either
	b.do(7, ledger.Register{}, "3 of 4 neurons are too new")
	for _, n := range []byte{4, 5, 6} {
		if _, ok := b.byHotkey(key(t, n).Hotkey()); !ok {
			t.Errorf("key %d was replaced while it was immune", n)
		}
	}
	for range 7 {
		b.block() // until block 21
	}
	b.do(7, ledger.Register{}, "")
}

func TestRegistrationsPerBlock(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.MaxRegistrations = 1 })
	r := b.block(b.tx(4, ledger.Register{}), b.tx(5, ledger.Register{}))
	if r[0].Code != ledger.CodeOK || r[1].Code != ledger.CodeBusy {
		t.Errorf("%+v", r)
	}
	b.do(5, ledger.Register{}, "")
}

// A flood of made-up hotkeys leaves nothing behind once their transactions expired,
// and no transaction takes effect twice.
func TestAccountsAreForgotten(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.MaxNeurons, g.ImmunityPeriod = 4, 1 })
	before := size(b)
	old := b.tx(20, ledger.Register{})
	b.block(old)
	for n := range byte(30) {
		b.do(21+n, ledger.Register{}, "")
	}
	if b.Nonce(key(t, 20).Hotkey()) != 1 {
		t.Fatal("forgotten before its transaction expired")
	}
	for range ledger.MaxLifetime + 2 {
		b.block()
	}
	if b.Nonce(key(t, 20).Hotkey()) != 0 {
		t.Error("an evicted hotkey's account is kept for ever")
	}
	if r := b.block(old)[0]; r.Code != ledger.CodeExpiry {
		t.Errorf("replayed: %+v", r)
	}
	if grown := size(b) - before; grown > 6 { // one neuron more, and the accounts of all four
		t.Errorf("%d records more than before the flood", grown)
	}
}

func size(b bench) (n int) {
	l, err := ledger.DecodeSnapshot(b.Snapshot())
	if err != nil {
		b.t.Fatal(err)
	}
	return l.Tree().Len()
}

func TestUnstake(t *testing.T) {
	b := newBench(t, nil)
	one := key(t, 1).Hotkey()
	b.do(2, ledger.Unstake{Hotkey: one, Amount: 1}, "only an authority")
	b.do(0, ledger.Unstake{Hotkey: key(t, 9).Hotkey(), Amount: 1}, "not registered")
	b.do(0, ledger.Unstake{Hotkey: one, Amount: 2001}, "a stake of 2000, less than 2001")
	b.do(1, ledger.Unstake{Hotkey: one, Amount: 500}, "")
	b.do(0, ledger.Unstake{Hotkey: one, Amount: 500}, "")
	if n, _ := b.byHotkey(one); n.Stake != 1000 {
		t.Errorf("stake %d", n.Stake)
	}
}

func TestCommitRateLimit(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.CommitRateLimit = 3 })
	b.do(1, ledger.Commit{Data: []byte("a")}, "")
	b.do(1, ledger.Commit{Data: []byte("b")}, "may commit again at block 4")
	b.block()
	b.do(1, ledger.Commit{Data: []byte("b")}, "")
}

// tempo encodes the parameters with another tempo.
func tempo(t testing.TB, b bench, blocks uint64) []byte {
	t.Helper()
	p := b.Params()
	p.Tempo = blocks
	raw, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVote(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) {
		g.Authorities = []protocol.Hotkey{key(t, 0).Hotkey(), key(t, 1).Hotkey(), key(t, 2).Hotkey()}
	})
	nine, ten := ledger.Vote{Params: tempo(t, b, 9)}, ledger.Vote{Params: tempo(t, b, 10)}
	stands := func(want uint64, votes int) {
		t.Helper()
		if b.Params().Tempo != want || len(b.Votes()) != votes {
			t.Errorf("tempo %d with %d votes, want %d with %d", b.Params().Tempo, len(b.Votes()), want, votes)
		}
	}
	b.do(3, nine, "only an authority")
	b.do(0, ledger.Vote{Params: []byte(`{"tempo":9}`)}, "max_neurons")
	b.do(0, ledger.Vote{Params: []byte(`{"nothing":9}`)}, "unknown name")
	b.do(0, nine, "")
	b.do(1, nine, "")
	stands(4, 2) // two of three are two thirds, not more
	b.do(2, ten, "")
	stands(4, 3)
	b.do(1, ledger.Vote{Params: tempo(t, b, 4)}, "") // withdraws
	stands(4, 2)
	b.do(1, nine, "")
	b.do(2, ledger.Vote{Params: append([]byte(" "), nine.Params...)}, "")
	stands(9, 0)
	restored, err := ledger.DecodeSnapshot(b.Snapshot())
	if err != nil || restored.Params().Tempo != 9 {
		t.Errorf("restored: %v, %v", restored.Params().Tempo, err)
	}
	small := b.Params()
	small.MaxNeurons = 2
	raw, _ := small.Encode()
	b.do(0, ledger.Vote{Params: raw}, "below the 3 that are registered")
	small = b.Params()
	small.Authorities = nil
	raw, _ = small.Encode()
	b.do(0, ledger.Vote{Params: raw}, "without an authority")
}

func TestProof(t *testing.T) {
	b := newBench(t, nil)
	b.block(b.tx(1, ledger.Commit{Data: []byte("bucket")}), b.tx(3, ledger.Commit{Data: []byte("pail")}))
	tree := b.Tree()
	read := func(prefix string) []ledger.Record {
		t.Helper()
		r, err := ledger.Verify(b.Root(), prefix, tree.Prove(prefix))
		if err != nil {
			t.Fatal(prefix, err)
		}
		return r
	}
	m, err := ledger.ReadMetagraph(1, read(ledger.PrefixNeurons))
	if err != nil || len(m.Neurons) != 3 || m.Neurons[0] != b.byUID(0) {
		t.Errorf("%+v, %v", m, err)
	}
	all, err := ledger.ReadCommitments(read(ledger.PrefixNeurons), read(ledger.PrefixCommitments))
	if err != nil || len(all) != 2 || string(all[1].Data) != "pail" {
		t.Errorf("%+v, %v", all, err)
	}
	for _, prefix := range []string{"", "a", "account/", "zzz", "neuron/\x00\x01", "commitment/x"} {
		want := 0
		for _, r := range read("") {
			if strings.HasPrefix(r.Key, prefix) {
				want++
			}
		}
		if got := len(read(prefix)); got != want {
			t.Errorf("%q: %d records, want %d", prefix, got, want)
		}
	}
}

// Every changed bit, and a proof that leaves a record out, is caught.
func TestProofRefuses(t *testing.T) {
	b := newBench(t, nil)
	b.block(b.tx(1, ledger.Commit{Data: []byte("bucket")}))
	proof := b.Tree().Prove(ledger.PrefixNeurons)
	for i := range proof {
		for bit := range 8 {
			bad := append([]byte(nil), proof...)
			bad[i] ^= 1 << bit
			if _, err := ledger.Verify(b.Root(), ledger.PrefixNeurons, bad); err == nil {
				t.Fatalf("accepted with bit %d of byte %d changed", bit, i)
			}
		}
		if _, err := ledger.Verify(b.Root(), ledger.PrefixNeurons, proof[:i]); err == nil {
			t.Fatalf("accepted with only %d bytes", i)
		}
	}
	if _, err := ledger.Verify(b.Root(), ledger.PrefixNeurons, b.Tree().Prove(ledger.PrefixNeurons+"\x00\x01")); err == nil {
		t.Error("the proof of a part was taken for that of the whole")
	}
}

// An authority cannot register the identity of the group, or bytes that are no key.
func TestRegisterRefusesWhatIsNoHotkey(t *testing.T) {
	b := newBench(t, nil)
	b.do(0, ledger.Register{Hotkey: protocol.Hotkey{1}}, "not the encoding of a point")
	g := genesis(t)
	g.Founders = append(g.Founders, ledger.Founder{})
	if err := g.Validate(); err == nil || !strings.Contains(err.Error(), "identity") {
		t.Errorf("a founder of the zero key: %v", err)
	}
}
