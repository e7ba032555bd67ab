// Package chaintest is the conformance suite of the chain port. An implementation's
// test makes a Subject and calls Run.
package chaintest

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/wallet"
	"templar/protocol"
)

// Subject is a chain under test, which makes blocks and ends epochs without the suite's
// help. The suite adds neurons and commitments to it. The optional fields say how chains
// differ.
type Subject struct {
	Chain chain.Chain
	// Validator is the hotkey of a neuron that has a permit and the highest stake.
	Validator protocol.Signer
	// MaxCommitment is the longest commitment, in bytes.
	MaxCommitment int
	// Epoch is the number of blocks between two epochs, in which weights become incentive.
	Epoch uint64
	// Lag is how many blocks behind the head Metagraph and Commitments may be.
	Lag uint64

	// ColdkeySigns: the coldkey of the owner signs a registration, and owns the neuron.
	// Otherwise the hotkey signs it, and may name any coldkey.
	ColdkeySigns bool
	// Fund gives a key what a registration and a few other calls cost. The suite calls it
	// before the key signs its first call. Nil: calls are free.
	Fund func(t testing.TB, key protocol.Hotkey)
	// Reorganise replaces the newest block by another one. Nil: the newest block is final.
	Reorganise func(t testing.TB)
	// MissReveal makes the chain drop the weights that are set next, instead of revealing
	// them. Nil: weights are never pending, or always revealed.
	MissReveal func(t testing.TB)
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
		"reveal":        testReveal,
		"randomness":    testRandomness,
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

// register registers the n-th hotkey with the signature that the chain asks for, and
// returns it and the neuron's coldkey. The hotkey's own calls may cost something, too.
func (s *Subject) register(t *testing.T, ctx context.Context, n uint64) (hotkey, coldkey protocol.Hotkey, r chain.Receipt, err error) {
	t.Helper()
	neuron, owner := Key(t, n), Key(t, 1000+n)
	signer := neuron
	if s.ColdkeySigns {
		signer = owner
	}
	if s.Fund != nil {
		s.Fund(t, signer.Hotkey())
	}
	r, err = s.Chain.Register(ctx, signer, chain.Registration{Hotkey: neuron.Hotkey(), Coldkey: owner.Hotkey()})
	return neuron.Hotkey(), owner.Hotkey(), r, err
}

// included fails the test unless a call took effect.
func included(t *testing.T) func(chain.Receipt, error) chain.Receipt {
	return func(r chain.Receipt, err error) chain.Receipt {
		t.Helper()
		if err != nil || r.Status != chain.StatusIncluded || r.Block == 0 || r.EffectiveAt < r.Block {
			t.Fatalf("%+v, %v, want a call that is included and in effect", r, err)
		}
		return r
	}
}

// refused fails the test unless a call failed with a reason.
func refused(t *testing.T) func(chain.Receipt, error) chain.Receipt {
	return func(r chain.Receipt, err error) chain.Receipt {
		t.Helper()
		if err != nil || r.Status != chain.StatusFailed || r.Reason == "" {
			t.Fatalf("%+v, %v, want a call that failed, with a reason", r, err)
		}
		return r
	}
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
