// Package chaintest is the conformance suite of the chain port. An implementation's
// test makes a Subject and calls Run.
package chaintest

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/wallet"
	"templar/protocol"
)

// Subject is a chain under test, on which blocks come by themselves. The suite adds
// neurons and commitments to it.
type Subject struct {
	Chain chain.Chain
	// Validator is registered, and has a permit and the highest stake.
	Validator protocol.Signer
	// MaxCommitment is the longest commitment, in bytes.
	MaxCommitment int
	// Lag is how many blocks behind the head Metagraph and Commitments may be.
	Lag uint64
	// Reorganise, where the chain can, replaces its newest block by another one.
	Reorganise func(t *testing.T)
}

// Genesis returns a genesis for chains that drive the ledger, and its validator. The
// authority is Key(0), the founders are Key(1) and Key(2). It leaves the time open.
func Genesis(t testing.TB) (ledger.Genesis, protocol.Signer) {
	g := ledger.DefaultGenesis("chaintest")
	g.Authorities = []protocol.Hotkey{Key(t, 0).Hotkey()}
	g.Founders = []ledger.Founder{{Hotkey: Key(t, 1).Hotkey(), Stake: 1000}, {Hotkey: Key(t, 2).Hotkey()}}
	g.Tempo, g.WeightsRateLimit, g.CommitRateLimit, g.MaxRegistrations = 4, 1, 0, 4
	return g, Key(t, 1)
}

// Key returns the n-th of a fixed list of hotkeys.
func Key(t testing.TB, n uint64) *wallet.Wallet {
	t.Helper()
	w, err := wallet.FromSeed([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), n)))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// limit is what any single test may take on a busy machine.
const limit = 3 * time.Minute

// Run tests a chain. make is called once for each test.
func Run(t *testing.T, make func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, context.Context, Subject){
		"heads":         testHeads,
		"future":        testFuture,
		"cancellation":  testCancellation,
		"register":      testRegister,
		"commit":        testCommit,
		"weights":       testWeights,
		"effects":       testEffects,
		"concurrency":   testConcurrency,
		"subscriptions": testManyWaiters,
		"reorganised":   testReorganised,
	} {
		t.Run(name, func(t *testing.T) {
			s := make(t) // it may wait here for its turn among parallel tests
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			test(t, ctx, s)
		})
	}
}

// submit fails the test unless the call ends with the status.
func submit(t *testing.T, ctx context.Context, c chain.Chain, s protocol.Signer, call chain.Call, want chain.Status) chain.Receipt {
	t.Helper()
	r, err := c.Submit(ctx, s, call)
	if err != nil {
		t.Fatalf("submit %T: %v", call, err)
	}
	if r.Status != want {
		t.Fatalf("submit %T: %+v, want status %d", call, r, want)
	}
	if want == chain.StatusFailed && r.Reason == "" {
		t.Fatalf("submit %T failed without a reason", call)
	}
	return r
}

func must[T any](t *testing.T, what string) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}
