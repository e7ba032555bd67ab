package ledger_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/wallet"
	"templar/protocol"
)

func key(t testing.TB, n byte) *wallet.Wallet {
	t.Helper()
	w, err := wallet.FromSeed([32]byte{n})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// bench is a ledger under test: key 0 is an authority, keys 1 to 3 are founders, and
// 1 and 2 have stake.
type bench struct {
	*ledger.Ledger
	t testing.TB
}

func genesis(t testing.TB) ledger.Genesis {
	g := ledger.DefaultGenesis("bench")
	g.Time = time.Unix(1_800_000_000, 0)
	g.Authorities = []protocol.Hotkey{key(t, 0).Hotkey()}
	g.Founders = []ledger.Founder{{Hotkey: key(t, 1).Hotkey(), Stake: 2000}, {Hotkey: key(t, 2).Hotkey(), Stake: 1000}, {Hotkey: key(t, 3).Hotkey()}}
	g.MaxNeurons, g.ImmunityPeriod, g.Tempo, g.WeightsRateLimit, g.CommitRateLimit = 5, 3, 4, 3, 0
	return g
}

func newBench(t testing.TB, adjust func(*ledger.Genesis)) bench {
	t.Helper()
	g := genesis(t)
	if adjust != nil {
		adjust(&g)
	}
	l, err := ledger.New(g)
	if err != nil {
		t.Fatal(err)
	}
	return bench{l, t}
}

// block appends a block and returns its results.
func (b bench) block(txs ...[]byte) []ledger.Result {
	b.t.Helper()
	n, at := b.Block()
	results, err := b.Apply(n+1, at.Add(time.Second), txs)
	if err != nil {
		b.t.Fatal(err)
	}
	return results
}

func (b bench) tx(signer byte, c ledger.Call) []byte {
	b.t.Helper()
	n, _ := b.Block()
	s, g := key(b.t, signer), b.Genesis()
	tx, err := ledger.NewTx(s, g.Domain(), b.Nonce(s.Hotkey()), n+10, c)
	if err != nil {
		b.t.Fatal(err)
	}
	return tx
}

func (b bench) byUID(uid protocol.UID) chain.Neuron {
	m := b.Metagraph()
	n, _ := m.ByUID(uid)
	return n
}

func (b bench) byHotkey(h protocol.Hotkey) (chain.Neuron, bool) {
	m := b.Metagraph()
	return m.ByHotkey(h)
}

// do applies one call in a block of its own and checks the result's reason.
func (b bench) do(signer byte, c ledger.Call, refused string) {
	b.t.Helper()
	tx := b.tx(signer, c)
	var checked string
	if err := b.Check(tx); err != nil {
		checked = err.Error()
	}
	r := b.block(tx)[0]
	if r.Reason != checked {
		b.t.Errorf("Check said %q, Apply %q", checked, r.Reason)
	}
	if (r.Code == ledger.CodeOK) != (refused == "") || !strings.Contains(r.Reason, refused) {
		b.t.Errorf("%T: result %+v, want one about %q", c, r, refused)
	}
}

func weights(v ...uint16) ledger.SetWeights {
	var c ledger.SetWeights
	for uid, x := range v {
		if x > 0 {
			c.Entries = append(c.Entries, chain.Weight{UID: protocol.UID(uid), Value: x})
		}
	}
	return c
}

func TestGenesisGivesPermits(t *testing.T) {
	m := newBench(t, nil).Metagraph()
	if m.Block != 0 || len(m.Neurons) != 3 {
		t.Fatalf("%+v", m)
	}
	for i, want := range []bool{true, true, false} {
		if m.Neurons[i].Permit != want {
			t.Errorf("uid %d: permit %v, want %v", i, m.Neurons[i].Permit, want)
		}
	}
	if lead, ok := m.Lead(); !ok || lead.UID != 0 {
		t.Errorf("lead %v %v", lead, ok)
	}
}

func TestRegister(t *testing.T) {
	b := newBench(t, nil)
	b.do(4, ledger.Register{}, "")
	b.do(4, ledger.Register{}, "registered already, with uid 3")
	if n := b.byUID(3); n.Hotkey != key(t, 4).Hotkey() || n.Registered != 1 {
		t.Errorf("%+v", n)
	}
	closed := newBench(t, func(g *ledger.Genesis) { g.OpenRegistration = false })
	closed.do(4, ledger.Register{}, "closed")
	closed.do(0, ledger.Register{}, "")
}

func TestStake(t *testing.T) {
	b := newBench(t, nil)
	newcomer := key(t, 3).Hotkey()
	b.do(1, ledger.Stake{Hotkey: newcomer, Amount: 5}, "only an authority")
	b.do(0, ledger.Stake{Hotkey: key(t, 9).Hotkey(), Amount: 5}, "not registered")
	b.do(0, ledger.Stake{Hotkey: newcomer, Amount: math.MaxUint64}, "over what is left")
	b.do(0, ledger.Stake{Hotkey: newcomer, Amount: 500}, "") // block 4: an epoch
	n, _ := b.byHotkey(newcomer)
	if n.Stake != 500 || !n.Permit {
		t.Errorf("after the epoch: %+v", n)
	}
}

func TestCommit(t *testing.T) {
	b := newBench(t, nil)
	b.do(4, ledger.Commit{Data: []byte("x")}, "not registered")
	b.do(1, ledger.Commit{}, "0 bytes")
	b.do(1, ledger.Commit{Data: make([]byte, 513)}, "513 bytes")
	b.do(3, ledger.Commit{Data: []byte("three")}, "")
	b.do(1, ledger.Commit{Data: []byte("one")}, "")
	b.do(1, ledger.Commit{Data: []byte("uno")}, "")
	got := fmt.Sprint(b.Commitments())
	want := fmt.Sprint([]chain.Commitment{{Hotkey: key(t, 1).Hotkey(), Block: 6, Data: []byte("uno")}, {Hotkey: key(t, 3).Hotkey(), Block: 4, Data: []byte("three")}})
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSetWeights(t *testing.T) {
	b := newBench(t, func(g *ledger.Genesis) { g.VersionKey, g.MinWeights = 7, 2 })
	versioned := func(v ...uint16) ledger.SetWeights {
		w := weights(v...)
		w.VersionKey = 7
		return w
	}
	b.do(4, versioned(1, 1), "not registered")
	b.do(3, versioned(1, 1), "no validator permit")
	b.do(1, weights(1, 1), "version key 0")
	b.do(1, versioned(1), "too few")
	b.do(1, versioned(0, 1, 1, 1), "unknown uid 3")
	b.do(1, versioned(0, 1, 1), "")
	b.do(1, versioned(0, 1, 2), "rate-limited: uid 0 may set them again at block 9")
	b.block()
	b.do(1, versioned(0, 1, 2), "")
}

func TestEpochPaysWhomTheMajorityWeighs(t *testing.T) {
	b := newBench(t, nil)
	b.block(b.tx(1, weights(0, 0, 5)), b.tx(2, weights(0, 7, 5)))
	b.block()
	b.block()
	if n := b.byUID(2); n.Incentive != 0 {
		t.Error("incentive before the epoch")
	}
	b.block()
	m := b.Metagraph()
	// uid 0 holds two thirds of the stake: its weights decide, and its dividends show it.
	if m.Neurons[2].Incentive != 65535 || m.Neurons[0].Dividends <= m.Neurons[1].Dividends || m.Neurons[1].Dividends == 0 {
		t.Errorf("%+v", m.Neurons)
	}
	if m.Neurons[0].LastUpdate != 1 {
		t.Errorf("last update %d", m.Neurons[0].LastUpdate)
	}
}

func TestReplacement(t *testing.T) {
	b := newBench(t, nil)
	b.block(b.tx(4, ledger.Register{}), b.tx(5, ledger.Register{}), b.tx(3, ledger.Commit{Data: []byte("old")}))
	b.block(b.tx(1, weights(0, 0, 0, 1, 1)), b.tx(2, weights(0, 0, 0, 1, 1)))
	b.block()
	b.block() // epoch: uids 3 and 4 have emission, uid 2 has none
	old, newcomer := key(t, 3).Hotkey(), key(t, 6).Hotkey()
	b.do(6, ledger.Register{}, "")
	n, ok := b.byHotkey(newcomer)
	if !ok || n.UID != 2 || n.Stake != 0 || n.Incentive != 0 || n.Registered != 5 {
		t.Errorf("newcomer %+v", n)
	}
	if _, ok := b.byHotkey(old); ok {
		t.Error("the replaced hotkey is still there")
	}
	if got := b.Commitments(); len(got) != 0 {
		t.Errorf("the replaced hotkey's commitment is still there: %v", got)
	}
	if b.Nonce(old) != 1 {
		t.Error("the replaced hotkey's nonce was lost: its transactions could be replayed")
	}
}

func TestRefusedTransactionsChangeNothing(t *testing.T) {
	b, empty := newBench(t, nil), newBench(t, nil)
	domain := ledger.Domain{ChainID: "bench", NetUID: 1}
	make := func(signer byte, d ledger.Domain, nonce, expiry uint64) []byte {
		tx, err := ledger.NewTx(key(t, signer), d, nonce, expiry, ledger.Commit{Data: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	flipped := make(1, domain, 0, 5)
	flipped[len(flipped)-65] ^= 1
	stolen := make(1, domain, 0, 5)
	other := key(t, 2).Hotkey()
	copy(stolen[2:34], other[:])
	for name, c := range map[string]struct {
		tx   []byte
		code ledger.Code
	}{
		"empty":         {nil, ledger.CodeMalformed},
		"garbage":       {[]byte(strings.Repeat("garbage", 20)), ledger.CodeMalformed},
		"nonce ahead":   {make(1, domain, 1, 5), ledger.CodeNonce},
		"expired":       {make(1, domain, 0, 0), ledger.CodeExpiry},
		"expiry far":    {make(1, domain, 0, ledger.MaxLifetime+2), ledger.CodeExpiry},
		"other chain":   {make(1, ledger.Domain{ChainID: "bench2", NetUID: 1}, 0, 5), ledger.CodeSignature},
		"other netuid":  {make(1, ledger.Domain{ChainID: "bench", NetUID: 2}, 0, 5), ledger.CodeSignature},
		"changed body":  {flipped, ledger.CodeSignature},
		"other's name":  {stolen, ledger.CodeSignature},
		"unknown":       {make(9, domain, 0, 5), ledger.CodeRule},
		"no permit":     {b.tx(3, weights(1)), ledger.CodeRule},
		"not authority": {b.tx(3, ledger.Stake{Hotkey: key(t, 3).Hotkey(), Amount: 1}), ledger.CodeRule},
	} {
		b, empty := newBench(t, nil), newBench(t, nil)
		var refusal *ledger.Refusal
		if err := b.Check(c.tx); !errors.As(err, &refusal) || refusal.Code != c.code {
			t.Errorf("%s: Check: %v, want code %d", name, err, c.code)
		}
		if r := b.block(c.tx)[0]; r.Code != c.code || r.Reason == "" {
			t.Errorf("%s: %+v, want code %d", name, r, c.code)
		}
		empty.block()
		if b.Root() != empty.Root() {
			t.Errorf("%s: the state differs from that after an empty block", name)
		}
	}
	good := b.tx(1, ledger.Commit{Data: []byte("x")})
	if r := b.block(good, good); r[0].Code != ledger.CodeOK || r[1].Code != ledger.CodeNonce {
		t.Errorf("replay in one block: %+v", r)
	}
	empty.block()
	if b.Root() == empty.Root() {
		t.Error("a commitment left the root as it was")
	}
}

func TestApplyRefusesGaps(t *testing.T) {
	b := newBench(t, nil)
	if _, err := b.Apply(2, time.Now(), nil); err == nil {
		t.Error("block 2 applied upon block 0")
	}
}

// TestRestoreContinues drives random calls and demands that a ledger kept as changed
// records, one from a snapshot, and the original always agree.
func TestRestoreContinues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := newBench(t, nil)
	kept := map[string][]byte{}
	keep := func() {
		for k, v := range b.Changes() {
			if v == nil {
				delete(kept, k)
			} else {
				kept[k] = v
			}
		}
	}
	keep()
	applied := 0
	for range 60 {
		signer := byte(rng.IntN(9))
		calls := []ledger.Call{
			ledger.Register{},
			ledger.Commit{Data: []byte{signer, byte(rng.IntN(256))}},
			ledger.Stake{Hotkey: key(t, byte(rng.IntN(9))).Hotkey(), Amount: rng.Uint64N(5000)},
			weights(uint16(rng.IntN(9)), uint16(rng.IntN(9)), uint16(rng.IntN(9)), uint16(rng.IntN(9))),
		}
		if b.block(b.tx(signer, calls[rng.IntN(len(calls))]))[0].Code == ledger.CodeOK {
			applied++
		}
		keep()
		records := map[string][]byte{}
		for k, v := range kept {
			records[k] = v
		}
		restored, err := ledger.Restore(records)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := ledger.DecodeSnapshot(b.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		if restored.Root() != b.Root() || decoded.Root() != b.Root() {
			t.Fatal("restored state differs")
		}
		b.Ledger = decoded
	}
	if applied < 20 {
		t.Errorf("only %d of 60 calls applied: the test shows little", applied)
	}
}
